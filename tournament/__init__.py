"""What the competition decides: pure functions of recorded facts. No clock, no file, no random state."""
