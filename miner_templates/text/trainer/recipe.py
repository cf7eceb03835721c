"""Every number of the recipe. Change them, and you have a contestant of your own."""

import os

SEED = int(os.environ.get("GOD_SEED", "42"))

# ── All kinds ────────────────────────────────────────────────────────────────────────────────────────────────────────
LEARNING_RATE = 5e-5  # peak, full fine-tuning of REFERENCE_PARAMETERS; smaller models take more
REFERENCE_PARAMETERS, SIZE_EXPONENT = 1e9, 0.6
LORA_LEARNING_RATE = 2e-4
LORA_RANK = 128
WEIGHT_DECAY = 0.01
BETAS = (0.9, 0.95)
CLIP_NORM = 1.0
WARMUP_SHARE = 0.05  # of all steps
FINAL_RATE_SHARE = 0.02  # of the peak, where the cosine ends
AVERAGE_SHARE = 0.1  # of all steps: horizon of the moving average of the weights
MAX_EPOCHS = 4
MAX_TOKENS = 4096  # of one row, as in the evaluation
MIN_BATCH_TOKENS, MAX_BATCH_TOKENS = 1024, 32768
TARGET_STEPS = 400  # the batch grows once more steps than this would fit
MICRO_TOKENS = 4096  # of one forward pass

# ── Validation and saves ─────────────────────────────────────────────────────────────────────────────────────────────
VALIDATION_SHARE = 0.05  # of the rows; of few rows a tenth, up to FEW_VALIDATION_ROWS
FEW_VALIDATION_ROWS = 32
MIN_VALIDATION_ROWS, MAX_VALIDATION_ROWS = 8, 256
VALIDATION_TIME_SHARE = 0.02  # of the time, for one validation
CHECK_SHARE = 0.1  # of the time: validations and saves on the way
MAX_CHECKS = 20
FIRST_CHECK_STEP = 4  # the first save is after the first step

# ── The clock ────────────────────────────────────────────────────────────────────────────────────────────────────────
LONG_CLOCK_SECONDS = 600.0  # from here on: learning-rate probe and TRL's trainers
PROBE_FACTORS = (0.5, 1.0, 2.0)  # of the learning rate
PROBE_SHARE = 0.025  # of the time, for each of them
MARGIN_SHARE, MARGIN_SECONDS = 0.03, (1.0, 60.0)  # of the clock, kept free at its end; at least, at most
TERM_SECONDS = 5.0  # what may be spent between SIGTERM and SIGKILL

# ── Preferences (DPO) ────────────────────────────────────────────────────────────────────────────────────────────────
DPO_BETA = 0.1  # the evaluation's
DPO_RATE_SHARE = 0.3  # of the rate above
DPO_VALIDATION_TIME_SHARE, DPO_MIN_VALIDATION = 0.05, 32  # pairs: a loss per pair is noisier than one per token
DPO_MAX_EPOCHS = 3

# ── Rewards (GRPO) ───────────────────────────────────────────────────────────────────────────────────────────────────
GRPO_LORA_RANK = 16
GRPO_LEARNING_RATE = 5e-6  # peak, full fine-tuning of REFERENCE_PARAMETERS
GRPO_LORA_LEARNING_RATE = 2e-5  # the same on adapters
GROUP = 8  # completions of one prompt
GROUPS = 4  # prompts of one step, fewer where only a few steps would fit
MIN_REWARD_STEPS = 12
PROBED_PROMPTS = 2  # to measure how long completions take
MAX_PROMPT_TOKENS, MAX_NEW_TOKENS = 512, 256  # as in the evaluation
REWARD_KL = 0.5  # what the evaluation takes off for each nat of KL to the base
REWARD_VALIDATION_SHARE = 0.05  # of the time, for one validation
MIN_REWARD_VALIDATION = 2  # prompts
REWARD_SLACK = 0.02  # a later checkpoint may look so much worse: the measure is that noisy
REWARD_SECONDS = 10.0  # of one call of a reward function
