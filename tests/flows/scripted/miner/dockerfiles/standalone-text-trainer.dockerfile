FROM python:3.11
COPY train.sh model /workspace/
ENTRYPOINT ["/bin/sh", "/workspace/train.sh"]
