"""Rows of sources → rows of a challenge, of every kind. Pure: no file, no clock, no network; docs/preparation.md."""
