# Sourced by the scripts beside it: what they say, Debian packages, and where uv finds packages.

say() { echo "setup: $*" >&2; }

fail() {
    echo "setup: $*" >&2
    exit 2
}

last_words() { grep -v '^ *$' .setup/log | tail -1; }

need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || install_debian "$2"
}

install_debian() { # PACKAGE…: as root; else say how
    local command="apt-get install --yes --no-install-recommends $*"
    ((EUID == 0)) && command -v apt-get >/dev/null || fail "$* is missing: run \`sudo $command\`"
    say "installing $*"
    mkdir -p .setup
    export DEBIAN_FRONTEND=noninteractive
    $command >.setup/log 2>&1 || { apt-get update && $command; } >.setup/log 2>&1 || fail "$command failed: $(last_words)"
}

pip_settings_for_uv() { # uv does not read pip's
    [[ -z "${PIP_FIND_LINKS:-}" ]] || export UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS// /,}}"
    [[ -z "${PIP_CERT:-}" ]] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
    local index
    index=$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)
    index=${PIP_INDEX_URL:-$index}
    [[ -z "$index" ]] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
}

has_torch_wheel() { compgen -G "${UV_FIND_LINKS:-/nowhere}/torch-*.whl" >/dev/null; }
