"""Reward functions as text: their form, their identity and our own collection. Nothing here runs one."""
