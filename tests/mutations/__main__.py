"""`python -m tests.mutations [WORDS]`: every planted error (with these words in file or name), and who caught it."""

import sys

from tests.mutations.catalogue import MUTATIONS
from tests.mutations.running import run_all


def main(words: list[str]) -> int:
    chosen = [m for m in MUTATIONS if all(word in f"{m.file} {m.name}" for word in words)]
    survivors = []
    for verdict in run_all(chosen):
        mutation = verdict.mutation
        print(f"{mutation.file:32} {mutation.name:44} {verdict.how}", flush=True)
        survivors += [] if verdict.is_caught else [mutation]
    print(f"\ncaught {len(chosen) - len(survivors)} of {len(chosen)}")
    for mutation in survivors:
        print(f"survived: {mutation.file}: {mutation.name}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
