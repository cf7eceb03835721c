"""Emission policies: evidence → shares of the whole, one module for each policy, exact (docs/rules.md, chapter 8)."""
