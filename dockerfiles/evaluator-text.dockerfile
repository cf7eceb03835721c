# The image that measures text models: our evaluator and its locked libraries, nothing of a miner's.
#     docker build -t god/evaluator-text:latest -f dockerfiles/evaluator-text.dockerfile .
FROM python:3.11-slim

COPY locks/evaluate.txt /tmp/evaluate.txt
RUN pip install --no-cache-dir torch==2.13.0 && \
    pip install --no-cache-dir --require-hashes --no-deps -r /tmp/evaluate.txt

COPY core /opt/god/core
COPY evaluators /opt/god/evaluators
ENV PYTHONPATH=/opt/god HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
WORKDIR /tmp
ENTRYPOINT ["python", "-m", "evaluators"]
CMD ["/job"]
