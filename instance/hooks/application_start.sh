#!/usr/bin/env bash
# Starts the new version on the candidate colour, in place of whatever runs there, and nginx when it is not running.
source "$(dirname "$0")/release.sh"
# shellcheck source=../nginx/nginx.sh
source "$kit/nginx/nginx.sh"

read_note
lock 240
[[ -d $here/$colour ]] || fail "$here/$colour is missing: AfterInstall has not run"

# From here on the colour is this deployment's, and a failure takes it down again.
give_up() {
  trap - ERR TERM
  runtime_log "$colour" 15 || true
  take_down
  fail "$1"
}
trap 'give_up "line $LINENO: $BASH_COMMAND"' ERR
trap 'give_up "ended by the agent after $SECONDS s"' TERM

detached runtime_stop "$colour"
rm -rf "${here:?}/$colour.replaced"
printf '%s\n' "$DEPLOYMENT_ID" >"$(owner_file)"

reason=$(runtime_check "$colour") || give_up "$reason"
detached runtime_start "$colour" || give_up "release $release could not be started"
reason=$(serve_colours) || give_up "$reason"
say "release $release is started on $colour, port $(app_port "$colour"), behind nginx on port $(nginx_port "$colour")"
