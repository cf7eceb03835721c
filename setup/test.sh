#!/usr/bin/env bash
# All tests that this machine can run: those of containers and GPUs where there are such. Two processes at a time, a
# file's tests always in one of them: much of what is tested waits for clocks. In the order of the files' names, for the
# slowest files have few tests, and would be kept for the end.
set -euo pipefail
cd "$(dirname "$0")/.."
source setup/lines.sh

without=()
if ! .venv/bin/python -c 'import docker; docker.from_env().ping()' 2>/dev/null; then
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
        need dockerd docker.io # the tests start it, apart from the host's network
        need busybox busybox-static
    else
        without+=("not docker")
    fi
fi
command -v nvidia-smi >/dev/null || without+=("not gpu")

selection=$(printf ' and %s' "${without[@]:-}")
exec .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "${selection# and }" "$@"
