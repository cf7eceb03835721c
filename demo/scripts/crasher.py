"""A miner whose script dies of its own bug."""

import sys


def main() -> None:
    print("crasher: reading the arguments", sys.argv[1:], flush=True)
    rows: list[dict[str, str]] = []
    print("crasher: mean length", sum(len(row["output"]) for row in rows) / len(rows), flush=True)


if __name__ == "__main__":
    main()
