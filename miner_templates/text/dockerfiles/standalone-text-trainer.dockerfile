# Built with the repository's root as context; run without network, so everything is installed here.
FROM pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime

RUN pip install --no-cache-dir \
    "transformers>=5.23,<5.24" "trl>=1.16,<1.17" "peft>=0.21,<0.22" \
    "accelerate>=1.15,<1.16" "datasets>=5.2,<5.3" "safetensors>=0.6,<1"

WORKDIR /app
COPY train.py /app/train.py
COPY trainer /app/trainer
ENV HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
ENTRYPOINT ["python", "/app/train.py"]
