"""Sandboxed runs on this machine: `local.LocalCompute` plans a run, a supervisor of its own carries it out.

This package is imported by every supervisor, so what a supervisor needs stands on the standard library alone.
"""
