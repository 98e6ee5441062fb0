#!/usr/bin/env bash
# Starts the new version on the candidate colour, in place of whatever runs there, and nginx when it is not running.
source "$(dirname "$0")/release.sh"
# shellcheck source=../nginx/nginx.sh
source "$kit/nginx/nginx.sh"
# shellcheck source=migrate.sh
source "$kit/hooks/migrate.sh"

read_note
lock 240
[[ $(cat "$(installed_file)" 2>/dev/null) == "$DEPLOYMENT_ID" ]] ||
  fail "$here/$colour is not of $DEPLOYMENT_ID: the instance was started again after AfterInstall, so deploy once more"

# What shows before anything is touched, so that the version that runs on this colour runs on, and what it reads again
# from its folder is its own.
refuse() {
  trap - ERR TERM
  rm -f "$(app_environment_file "$colour").new"
  lay_replaced
  fail "$1"
}
trap 'refuse "line $LINENO: $BASH_COMMAND"' ERR
trap 'refuse "ended by the agent after $SECONDS s"' TERM
runtime=$(runtime_in "$here/$colour") ||
  refuse "the bundle has neither compose.yaml nor app nor start.sh at the top of its folder app/: add what the kit is to start"
declare -F "${runtime}_start" >/dev/null || refuse "the kit in the bundle has no runtimes/$runtime.sh: pack with instance/bundle"
reason=$(write_app_environment "$colour") || refuse "$reason"
reason=$("${runtime}_check" "$colour") || refuse "$reason"

# From here on a failure takes the colour down again. Until that is this deployment's, the version before may run on in
# parts, reads its files from the folder, and is the one that comes back after a reboot.
give_up() {
  trap - ERR TERM
  say_log "$colour"
  rm -f "$(app_environment_file "$colour").new"
  owns_colour || lay_replaced
  take_down
  fail "$1"
}
trap 'give_up "line $LINENO: $BASH_COMMAND"' ERR
trap 'give_up "ended by the agent after $SECONDS s"' TERM

reason=$(runtime_stop "$colour" 9>&-) || give_up "the version that ran on $colour could not be stopped: $reason"
# Without its kit a colour is not started after a reboot, and half of a version must not be.
rm -rf "$here/run/$colour.kit"
printf '%s\n' "$runtime" >"$(runtime_file "$colour")"
printf '%s\n' "$DEPLOYMENT_ID" >"$(owner_file)"
rm -rf "${here:?}/$colour.replaced"
mv "$(app_environment_file "$colour").new" "$(app_environment_file "$colour")"

port=$(app_port "$colour")
if (exec 3<>"/dev/tcp/$app_address/$port") 2>/dev/null; then
  give_up "port $port on $app_address is taken by something that the kit has not started"
fi
reason=$("${runtime}_start" "$colour" 9>&-) || give_up "release $release could not be started on $colour: $reason"
# What only stands by is served by the nginx of the live version, whose kit may be a newer one.
if [[ $stands_by != true ]] || ! nginx_running; then
  reason=$(serve_colours) || give_up "$reason"
fi
if [[ -f $here/$colour/migrate ]]; then
  reason=$(migrate 9>&-) || give_up "$reason"
  [[ -z $reason ]] || say "$reason"
fi
keep_kit
say "release $release is started on $colour, port $port, behind nginx on port $(nginx_port "$colour")"
