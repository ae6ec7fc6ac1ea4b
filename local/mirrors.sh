# Sourced by setup.sh and lock.sh with $python set. uv does not read pip's settings: this hands on what the machine says
# about mirrors and certificates, if it says anything.
pip_setting() { printenv "PIP_$(printf '%s' "$1" | tr 'a-z-' 'A-Z_')" || "$python" -m pip config get "global.$1" 2>/dev/null || true; }
hand_on() {
    [ -z "$(printenv "$1" || true)" ] || return 0
    value=$(pip_setting "$2")
    [ -z "$value" ] || export "$1=$value"
}
hand_on UV_DEFAULT_INDEX index-url
hand_on SSL_CERT_FILE cert
[ -w "${HOME:-/nonexistent}" ] || export UV_CACHE_DIR="${UV_CACHE_DIR:-$root/var/cache/uv}"
