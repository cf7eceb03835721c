"""The process that stands over one run: it outlives whoever asked for the run, and is outlived by nothing of it."""
