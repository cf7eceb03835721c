"""Measures one checkpoint on one challenge, in a sandbox of its own: `python -m evaluators /job`."""
