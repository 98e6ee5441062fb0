# What every hook of a release needs: where things are, which colour is meant, and how to ask Greenlight.
# Sourced, never run. The CodeDeploy agent sets a hook's variables; user data writes the others to
# /etc/greenlight/environment.
# shellcheck shell=bash disable=SC2034 # the hooks that source this use what is set here

set -Eeuo pipefail

# Read when a bundle is judged: shared/bundle/src/kit.rs says which version the functions go with.
kit_version=2

root=${GREENLIGHT_ROOT:-}
kit=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=$root/opt/greenlight
hook_started=$SECONDS

# In one line, whatever an answer has in it.
say() { printf '%s\n' "${*//[[:cntrl:]]/ }"; }

# words [BYTES]: the last words of what comes in, in one line. CodeDeploy keeps the last 2,048 characters that a hook has
# written, and of a line as long as that nothing (agent 1.8.1, hook_executor.rb).
words() { tail -c "${1:-400}" | LC_ALL=C tr -s '\000-\037\177' ' ' | sed 's/^ //; s/ $//'; }

# The reason is the last line on stdout, because CodeDeploy shows that line of a failed hook. What happened comes first in
# it, so its end is what may be cut.
fail() {
  say "FAILED: $(printf '%s' "$*" | head -c 800 | words 800)"
  exit 1
}
trap 'fail "line $LINENO of $0: $BASH_COMMAND"' ERR

# KEY=value lines. They are read and not run, so a value needs no quotes and cannot start a program.
settings=$root/etc/greenlight/environment
read_environment() {
  local line
  [[ -r $settings ]] || fail "$settings is missing: user data writes it when the instance starts"
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line =~ ^([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]]; then
      export "${BASH_REMATCH[1]}=${BASH_REMATCH[2]}"
    fi
  done <"$settings"
  local name
  for name in GREENLIGHT_SERVICE GREENLIGHT_LIFECYCLE_FUNCTION; do
    [[ -n ${!name:-} ]] || fail "$name is not set in $settings"
  done
  service=$GREENLIGHT_SERVICE
  stop_seconds=${GREENLIGHT_STOP_SECONDS:-30}
  nginx_address=${GREENLIGHT_ADDRESS:-0.0.0.0}
  app_address=${GREENLIGHT_ADDRESS:-127.0.0.1}
  here=$home/$service
  note=$home/deployments/$DEPLOYMENT_ID
  [[ $service =~ ^[a-z0-9][a-z0-9-]*$ ]] || fail "GREENLIGHT_SERVICE is '$service'; small letters, digits and - are allowed"
}

# Every kit on this instance asks as this one was answered: an older one, in a bundle that is deployed once more, asks what
# the settings name, and nothing else.
note_alias() {
  local wanted=$lifecycle${aliases[0]:+:${aliases[0]}}
  [[ $wanted == "$GREENLIGHT_LIFECYCLE_FUNCTION" ]] ||
    sed -i "s/^GREENLIGHT_LIFECYCLE_FUNCTION=.*/GREENLIGHT_LIFECYCLE_FUNCTION=$wanted/" "$settings"
}

# The ports of a colour: nginx's, which the target group names, and the app's behind it.
nginx_port() { case $1 in blue) echo 8080 ;; green) echo 8081 ;; *) fail "'$1' is no colour" ;; esac; }
app_port() { case $1 in blue) echo 3000 ;; green) echo 3001 ;; *) fail "'$1' is no colour" ;; esac; }

# One hook at a time changes a service on this instance: a stopped deployment's hook may still run when the next
# deployment begins. File descriptor 9 holds the lock until the hook ends.
lock() {
  mkdir -p "$here/run"
  exec 9>"$here/run/lock"
  flock -w "$1" 9 || fail "another deployment's hook has held $here/run/lock for $1 seconds"
}

# Runs a command that may leave processes behind: they get neither the lock nor the hook's outputs.
detached() { "$@" 9>&- </dev/null >/dev/null 2>&1; }

# Under systemd a process that a hook starts belongs to the agent's unit and may die with a restart of the agent. Put
# before a command, this gives the process a scope of its own, in which it lives on. Elsewhere it is empty.
own_scope=()
if [[ -d /run/systemd/system && -z $root ]] && ((EUID == 0)) && command -v systemd-run >/dev/null; then
  own_scope=(systemd-run --quiet --scope --collect --slice=greenlight)
fi

# --- The note: what BeforeInstall was told, for the hooks after it. ---

write_note() {
  mkdir -p "$home/deployments"
  printf 'colour=%s\nport=%s\nrelease=%s\nstands_by=%s\n' "$1" "$2" "$3" "$4" >"$note.new"
  mv "$note.new" "$note"
}

read_note() {
  [[ -r $note ]] || fail "$note is missing: BeforeInstall of $DEPLOYMENT_ID has not run on this instance"
  colour=$(sed -n 's/^colour=//p' "$note")
  release=$(sed -n 's/^release=//p' "$note")
  # shellcheck disable=SC2034 # ApplicationStart uses it
  stands_by=$(sed -n 's/^stands_by=//p' "$note")
  [[ $colour == blue || $colour == green ]] || fail "$note names no colour"
}

# Which deployment a colour belongs to on this instance. Only its owner may take a colour down.
owner_file() { echo "$here/run/$colour.deployment"; }
owns_colour() { [[ $(cat "$(owner_file)" 2>/dev/null || true) == "$DEPLOYMENT_ID" ]]; }

# Seconds until this hook must have ended, a little before the agent would end it.
seconds_left() { echo $(($1 - (SECONDS - hook_started))); }

# The instance's processor, as release.json and Docker call it.
processor() { case $(uname -m) in aarch64) echo arm64 ;; *) uname -m ;; esac; }
image_processor() { case $(uname -m) in aarch64) echo arm64 ;; x86_64) echo amd64 ;; *) uname -m ;; esac; }

# --- The candidate. ---

# healthy: the colour's nginx port answers 200 on the health path; a redirect or an error page does not count.
healthy() {
  local status
  status=$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' --connect-timeout 1 --max-time 2 \
    "http://$(health_address):$(nginx_port "$colour")/healthz" 2>/dev/null) || return 1
  [[ $status == 200 ]]
}
health_address() { [[ $nginx_address == 0.0.0.0 ]] && echo 127.0.0.1 || echo "$nginx_address"; }

# --- The runtime: how a version runs. Its bundle tells, and a colour's is noted when the colour is started. ---

# runtime_in FOLDER: what the kit is to start there. compose.yaml wins, because it may lie beside what it starts.
runtime_in() {
  local name
  for name in compose.yaml compose.yml docker-compose.yml docker-compose.yaml; do
    [[ ! -f $1/$name ]] || { echo compose; return 0; }
  done
  [[ -f $1/app || -f $1/start.sh ]] && echo process
}
runtime_file() { echo "$here/run/$1.runtime"; }

# A version that an older kit has started left no note, and lies where AfterInstall has moved it.
runtime_of() { cat "$(runtime_file "$1")" 2>/dev/null || runtime_in "$here/$1.replaced" || runtime_in "$here/$1"; }

runtime_running() { "$(runtime_of "$1")_running" "$1"; }
runtime_log() { "$(runtime_of "$1")_log" "$@"; }

# Ends what runs on a colour, and says why when it cannot.
runtime_stop() {
  local runtime
  runtime=$(runtime_of "$1") || return 0
  "${runtime}_stop" "$1"
}

# AfterInstall lays a version where the one before it lay, and keeps that one until it has ended. lay_replaced lays it
# there again: what runs reads its files from there, and so does its start after a reboot.
installed_file() { echo "$here/run/$colour.installed"; }
lay_replaced() {
  [[ -d $here/$colour.replaced ]] || return 0
  rm -f "$(installed_file)"
  rm -rf "${here:?}/$colour"
  mv "$here/$colour.replaced" "$here/$colour"
}

# The kit that a colour was started with brings it back after a reboot (boot/greenlight.sh).
keep_kit() {
  rm -rf "$here/run/$colour.kit.new"
  mkdir -p "$here/run/$colour.kit.new"
  cp -R "$kit/hooks" "$kit/nginx" "$kit/runtimes" "$here/run/$colour.kit.new/"
  rm -rf "$here/run/$colour.kit"
  mv "$here/run/$colour.kit.new" "$here/run/$colour.kit"
}

# The end of a candidate's log, small enough to leave CodeDeploy the reason after it.
say_log() { runtime_log "$1" 15 2>/dev/null | tail -c 900 || true; }

# Takes this deployment's candidate down. A colour that another deployment has taken over meanwhile is left alone, so
# this never stops the live version.
take_down() {
  local why
  if owns_colour; then
    say "taking $colour of $DEPLOYMENT_ID down"
    why=$(runtime_stop "$colour" 9>&-) || say "$colour could not be stopped: $why"
    rm -rf "$(owner_file)" "$here/run/$colour.kit"
  else
    say "$colour belongs to another deployment now and is left alone"
  fi
}

read_environment
# shellcheck source=ask.sh
source "$kit/hooks/ask.sh"
for file in "$kit"/runtimes/*.sh; do
  # shellcheck source=/dev/null
  source "$file"
done
