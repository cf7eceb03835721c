#!/usr/bin/env bash
# Resolves pyproject.toml anew and writes locks/. They hold names, versions and hashes, and no address.
set -euo pipefail
cd "$(dirname "$0")/.."
source setup/lines.sh

pip_settings_for_uv
has_torch_wheel || export UV_TORCH_BACKEND=cpu # the requirements of torch for GPUs are not for the lock
arguments=("$@") # such as --upgrade, or --upgrade-package NAME

lock() { # FILE EXTRA…
    local file=$1 extras=()
    shift
    for extra in "$@"; do extras+=(--extra "$extra"); done
    .venv/bin/uv pip compile pyproject.toml "${extras[@]}" --python-version 3.11 --generate-hashes \
        --no-emit-package torch --no-header --no-annotate --quiet --output-file "$file" "${arguments[@]}"
    ! grep -nE '://|^--' "$file" || fail "$file contains an address"
    ! grep -nE '^(nvidia|cuda|triton)' "$file" || fail "$file contains packages for GPUs"
}

lock locks/all.txt control evaluate simulate bench dev
lock locks/control.txt control
lock locks/evaluate.txt evaluate
