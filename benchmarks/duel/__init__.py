"""The miner template against an AutoTrain-style default: the same challenges, clock and seeds, our own measurement."""
