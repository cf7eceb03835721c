#!/usr/bin/env bash
# Makes .venv from the locked packages. Idempotent, quick when nothing changed, and safe to interrupt at any point.
set -euo pipefail
cd "$(dirname "$0")/.."
source setup/lines.sh

least_free_gib=4
torch=torch==2.13.0

main() {
    need git git
    need bwrap bubblewrap
    prefer_full_postgres
    mkdir -p .setup
    exec 9>.setup/lock
    flock 9
    local wanted
    wanted=$(stamp)
    if [[ -x .venv/bin/god && ! -e .setup/unfinished && "$(cat .setup/done 2>/dev/null)" == "$wanted" ]]; then
        return
    fi
    check_disk
    if [[ -e .setup/unfinished ]]; then
        say "the last set-up was interrupted: starting anew"
        rm -rf .venv
    fi
    touch .setup/unfinished
    make_venv
    install
    echo "$wanted" >.setup/done
    rm .setup/unfinished
    say "done"
}

# With it Prefect's server need not use SQLite (docs/decisions/0002). Not asked of who is not root: it works without.
prefer_full_postgres() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return
    ((EUID == 0)) && command -v apt-get >/dev/null || return 0
    [[ -e /etc/postgresql-common/createcluster.conf ]] || {
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf # no server of the system's own
    }
    (install_debian postgresql) || say "going on without it"
}

stamp() { # of everything that .venv follows from; a moved .venv does not work
    { pwd; cat locks/all.txt pyproject.toml setup/setup.sh; } | sha256sum | cut -d' ' -f1
}

check_disk() {
    local free
    free=$(df --output=avail -k . | tail -1)
    ((free >= least_free_gib << 20)) || fail "$((free >> 10)) MiB are free here and ${least_free_gib} GiB are needed: make room"
}

make_venv() {
    local python
    python=$(find_python)
    [[ -x .venv/bin/python ]] && .venv/bin/python -m pip --version >/dev/null 2>&1 && return
    say "making .venv with $("$python" --version)"
    "$python" -c 'import ensurepip' 2>/dev/null || install_debian python3.11-venv
    "$python" -m venv --clear .venv >.setup/log 2>&1 || fail "cannot make .venv: $(last_words)"
}

find_python() {
    local python
    for python in python3.11 python3 python; do
        if "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    fail "Python 3.11 is missing: install it (apt-get install python3.11 python3.11-venv, or pyenv install 3.11)"
}

install() {
    say "installing the locked packages"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1' >.setup/log 2>&1 || no_packages
    pip_settings_for_uv
    uv_install --no-deps --require-hashes --requirements locks/all.txt || no_packages
    install_torch || no_packages
    uv_install --no-deps --editable . || fail "cannot install the project: $(last_words)"
}

# Compiled here once: sandboxes read packages only, and would compile them at each start.
uv_install() {
    .venv/bin/uv pip install --python .venv/bin/python --compile-bytecode --quiet "$@" >.setup/log 2>&1
}

install_torch() { # not in the lock: the wheels for CPU and GPU have different hashes under one version
    if has_torch_wheel; then
        uv_install --no-deps "$torch"
    elif command -v nvidia-smi >/dev/null; then
        uv_install "$torch"
    else
        uv_install --torch-backend cpu "$torch" || uv_install "$torch"
    fi
}

no_packages() {
    fail "cannot install from the package registry (is there a network?): $(last_words)"
}

main
