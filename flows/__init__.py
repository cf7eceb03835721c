"""When things happen: each flow loads rows, asks the rules what comes next, and calls tasks."""
