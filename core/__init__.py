"""The words everyone shares: values, errors and ports. Imports nothing of ours, reads no clock and no file."""
