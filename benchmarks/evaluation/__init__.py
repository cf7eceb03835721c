"""How fast checkpoints are measured, beside peers, in one run on the same models and rows.

    python -m benchmarks.evaluation --submissions 8 --json -
    python -m benchmarks.evaluation --submissions 8 --kind dpo --json -

*Ours* is `python -m evaluators` with a job for each checkpoint. The peers:

- `trainer`, the incumbent's way: a fresh process for each checkpoint, which loads it and calls transformers'
  `Trainer.evaluate` with batches of one row; for DPO TRL's `DPOTrainer.evaluate`, the base computed for each anew.
- `lm_eval`, lm-evaluation-harness as its users run it: its command, which evaluates one model.
- `lm_eval_one_process`, kinder to it: a loop of ours around its model class, one process for all checkpoints, which
  loads each and calls `HFLM.loglikelihood`. Neither knows DPO.

All are timed from the start of a process, imports and loading counted, to each checkpoint's result; float32, full
weights and adapters in turn. `ratio_vs_…` is wall time, `cpu_ratio_vs_…` CPU time, a peer's over ours. The peers work
with as many threads as the incumbent's first checkpoint was quicker with: one, or one for each core.
"""
