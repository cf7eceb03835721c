"""A miner that trains nothing and hands the base model back."""

import argparse
import shutil
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--task-id", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--expected-repo-name", required=True)
    told, _ = parser.parse_known_args()
    base = Path("/cache/models", told.model.replace("/", "--"))
    output = Path("/app/checkpoints", told.task_id, told.expected_repo_name)
    output.mkdir(parents=True, exist_ok=True)
    for file in base.iterdir():
        shutil.copyfile(file, output / file.name)
    print(f"mirror: {base} handed back as {output}", flush=True)


if __name__ == "__main__":
    main()
