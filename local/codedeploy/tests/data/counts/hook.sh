# How a hook begins, without what concerns neither nginx nor counts: for tests and for bench/counts.py.
# shellcheck shell=bash disable=SC2034,SC2154 # what is sourced uses what is set here, and the caller sets the folders
set -Eeuo pipefail
fail() { echo "FAILED: $*" >&2; exit 1; }
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
nginx_port() { [[ $1 == blue ]] && echo 8080 || echo 8081; }
app_port() { [[ $1 == blue ]] && echo 3000 || echo 3001; }
detached() { "$@" </dev/null >/dev/null 2>&1; }
own_scope=()
# shellcheck source=/dev/null
source "$kit/nginx/nginx.sh"
# shellcheck source=/dev/null
source "$kit/nginx/counts.sh"
