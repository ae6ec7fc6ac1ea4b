#!/bin/sh
# Writes requirements.lock, the locks of the images and jgo.lock.toml anew (`make lock`): exact versions and hashes, no address of any registry.
# Versions already locked stay unless pyproject.toml or jgo.toml forbids them; UPGRADE=1 takes the newest allowed.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd -P)
python="$root/.venv/bin/python"
[ -x "$root/.venv/setup/bin/uv" ] || { printf 'claimflow: run make setup first\n' >&2; exit 69; }
. local/mirrors.sh
UV_NO_CONFIG=1 "$root/.venv/setup/bin/uv" pip compile -q ${UPGRADE:+--upgrade} --generate-hashes --universal \
    --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links --all-extras --group dev \
    -o requirements.lock pyproject.toml
# One lock an image: what its extra needs, in the versions of the one lock.
for extra in intake assessment payment notify ops simulators; do
    UV_NO_CONFIG=1 "$root/.venv/setup/bin/uv" pip compile -q --generate-hashes --universal --python-version 3.11 \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links --extra "$extra" -c requirements.lock \
        -o "deploy/locks/$extra.lock" pyproject.toml
done
"$python" -m local.jars
if grep -nE 'https?://' requirements.lock requirements-setup.lock jgo.lock.toml deploy/locks/*.lock >&2; then
    printf 'claimflow: a lock names an address; locks hold versions and hashes only\n' >&2
    exit 70
fi
