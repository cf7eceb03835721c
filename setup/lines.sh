# Sourced by the scripts beside it: what they say, and Debian packages.

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
