"""How fast checkpoints are measured, beside two peers, in one run on the same models and rows.

    python -m benchmarks.evaluation --submissions 8 --json -

*Ours* is `python -m evaluators` with a job for each checkpoint. The *incumbent's way* is a fresh process for each,
which loads it and calls transformers' `Trainer.evaluate` with batches of one row. *lm-evaluation-harness* is one
process for all, which loads each and calls `HFLM.loglikelihood`. All are timed from the start of a process, imports
and loading counted, to each checkpoint's result; float32, full weights and adapters in turn. The peers work with as
many threads as the incumbent's first checkpoint was quicker with: one, or one for each core.
"""
