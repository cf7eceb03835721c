"""How we reach the outside: one gateway per external system, each keeping a promise of `core/ports.py`."""
