"""Whole seasons of tournaments under a model of skill and noise: what a rule set costs, and how often it is wrong."""
