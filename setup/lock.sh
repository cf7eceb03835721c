#!/usr/bin/env bash
# Resolves pyproject.toml anew and writes locks/. They hold names, versions and hashes, and no address.
set -euo pipefail
cd "$(dirname "$0")/.."
source setup/lines.sh

lock() { # FILE EXTRA…
    local file=$1 extras=()
    shift
    for extra in "$@"; do extras+=(--extra "$extra"); done
    .venv/bin/uv pip compile pyproject.toml "${extras[@]}" --python-version 3.11 --generate-hashes --upgrade \
        --no-emit-package torch --no-header --no-annotate --quiet --output-file "$file"
    ! grep -nE '://|^--' "$file" || fail "$file contains an address"
}

lock locks/all.txt control evaluate dev
lock locks/control.txt control
lock locks/evaluate.txt evaluate
