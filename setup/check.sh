#!/usr/bin/env bash
# What a reviewer should not have to look for: lint, format, rooms, types.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff check
.venv/bin/ruff format --check
.venv/bin/lint-imports
.venv/bin/mypy
