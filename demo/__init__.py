"""The demo: a whole tournament on this machine, from repository links to weights. `python -m demo`, `make demo`."""
