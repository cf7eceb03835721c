"""Runs reward functions, each call in a process of its own that can do nothing but compute and answer.

    sandbox.py      this side: starts workers, hands out calls, keeps the limits
    worker.py       the other side: a process without secrets that forks one more for every call
    seccomp.py      which system calls are left there
    scoring.py      what the functions of a challenge make of a prompt's completions
    validation.py   which functions of a challenge are sound, tried on sample rows

`python -m evaluators.rewards <job folder>` validates; docs/rewards.md tells the rest.
"""
