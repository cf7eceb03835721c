FROM python:3.11
COPY train.py model /workspace/
ENTRYPOINT ["python", "/workspace/train.py"]
