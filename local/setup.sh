#!/bin/sh
# Makes .venv with exactly what requirements.lock names. Repeating it is cheap: a stamp holds the locks' hash.
# Needs Python 3.11 to 3.13 with venv; everything else comes as wheels with checked hashes.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd -P)
venv="$root/.venv"
say() { printf 'claimflow: %s\n' "$*" >&2; }

stamp_wanted() { printf '%s\n' "$root"; sha256sum requirements.lock requirements-setup.lock local/setup.sh; }
stamp_fresh() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/stamp" 2>/dev/null)" = "$(stamp_wanted)" ]; }
if stamp_fresh; then exit 0; fi
if [ "${1:-}" = --check ]; then exit 1; fi

if ! [ -w . ]; then
    say "$root is not writable by $(id -un); work in a copy of your own."
    exit 73
fi
# Two set-ups at once (two terminals, two test runs) take turns; the second finds the work done.
if command -v flock >/dev/null 2>&1; then
    exec 9>"$root/.venv.lock"
    flock 9
    if stamp_fresh; then exit 0; fi
fi

suitable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }
python=
for candidate in ${CLAIMFLOW_PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if suitable "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    say "no Python 3.11, 3.12 or 3.13 found; on Debian or Ubuntu: apt-get install python3 python3-venv (or name one in CLAIMFLOW_PYTHON)."
    exit 69
fi
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    package="$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "$python lacks venv; installing the system package $package with apt-get"
        if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"; } >&2; then
            say "apt-get could not install $package; install it by hand and try again."
            exit 69
        fi
    else
        say "$python lacks venv; install it first: sudo apt-get install $package"
        exit 69
    fi
fi

. local/mirrors.sh
[ -w "${HOME:-/nonexistent}" ] || export PIP_NO_CACHE_DIR=1
# What is there already is only brought up to date: programs running from it keep their files where nothing changed.
base_wanted() { printf '%s\n' "$root"; "$python" -V; sha256sum requirements-setup.lock; }
if ! { [ -x "$venv/setup/bin/uv" ] && [ "$(cat "$venv/base" 2>/dev/null)" = "$(base_wanted)" ]; }; then
    say "setting up .venv with $("$python" -V) ($(grep -c == requirements.lock) locked packages; first time only)"
    rm -rf "$venv"
    "$python" -m venv --without-pip "$venv"
    # uv lives apart, because `sync` removes from .venv whatever the lock does not name.
    "$python" -m venv "$venv/setup"
    "$venv/setup/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-setup.lock
    base_wanted > "$venv/base"
fi
UV_NO_CONFIG=1 "$venv/setup/bin/uv" pip sync -q --python "$venv/bin/python" --require-hashes --only-binary :all: requirements.lock
stamp_wanted > "$venv/stamp"
