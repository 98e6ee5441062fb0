# Runs a colour as a plain process: `app`, or `start.sh` where there is no `app`, from the colour's folder.
# It is told where to listen by HOST and PORT.
# shellcheck shell=bash disable=SC2154 # release.sh sets what is not set here

# pid_file COLOUR: one line, the process id and its start time in clock ticks since boot. The id alone is not enough,
# because the system gives it to another process later.
pid_file() { echo "$here/run/$1.pid"; }
log_file() { echo "$here/run/$1.log"; }

start_ticks() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086
  set -- $stat
  [[ $1 != Z ]] && echo "${20}"
}

# The process of a colour, when it is still the one that was started.
running_pid() {
  local pid ticks
  read -r pid ticks 2>/dev/null <"$(pid_file "$1")" || return 1
  [[ -n $ticks && $(start_ticks "$pid") == "$ticks" ]] && echo "$pid"
}

process_running() { running_pid "$1" >/dev/null; }

process_log() { tail -n "$2" "$(log_file "$1")" 2>/dev/null; }

program() {
  if [[ -f $here/$1/app ]]; then echo "$here/$1/app"; else echo "$here/$1/start.sh"; fi
}

# Why the colour cannot be started, as far as that shows before anything is touched.
process_check() {
  local program
  program=$(program "$1")
  [[ -f $program ]] || { echo "$here/$1 holds neither app nor start.sh"; return 1; }
  # A bundle that was zipped without modes is still meant to run.
  [[ -x $program ]] || chmod +x "$program" || { echo "$program cannot be made executable"; return 1; }
}

# As a scope's setting, where there is systemd.
memory_limit() { ((${#own_scope[@]} == 0 || ${GREENLIGHT_MEMORY_MIB:-0} == 0)) || echo "--property=MemoryMax=${GREENLIGHT_MEMORY_MIB}M"; }

process_start() {
  local program pid ticks
  program=$(program "$1")
  [[ ! -f $(log_file "$1") ]] || mv "$(log_file "$1")" "$(log_file "$1").old" ||
    { echo "$(log_file "$1") cannot be moved away"; return 1; }
  (: >"$(log_file "$1")") 2>/dev/null || { echo "$(log_file "$1") cannot be written"; return 1; }
  (
    cd "$here/$1" || exit
    unset LIFECYCLE_EVENT DEPLOYMENT_ID DEPLOYMENT_GROUP_ID DEPLOYMENT_GROUP_NAME APPLICATION_NAME
    unset BUNDLE_BUCKET BUNDLE_KEY BUNDLE_VERSION BUNDLE_ETAG
    export_app_environment "$1"
    export HOST=$app_address PORT
    PORT=$(app_port "$1")
    # In a session of its own the process id is also the group's, and the agent's TERM to the hook does not reach it.
    # shellcheck disable=SC2046 # no limit is no argument
    exec setsid "${own_scope[@]}" $(memory_limit) "$program"
  ) </dev/null >>"$(log_file "$1")" 2>&1 &
  pid=$!
  ticks=$(start_ticks "$pid") || { echo "${program##*/} ended at once: $(tail -n 5 "$(log_file "$1")" | words)"; return 1; }
  printf '%s %s\n' "$pid" "$ticks" >"$(pid_file "$1")" || {
    kill -KILL -- "-$pid" 2>/dev/null
    echo "$(pid_file "$1") cannot be written"
    return 1
  }
}

# After a reboot nothing of it runs.
process_resume() { process_start "$1"; }

# Whether a process of this group still runs. A zombie, which has ended and was not waited for, does not count.
group_runs() {
  kill -0 -- "-$1" 2>/dev/null || return 1
  ! command -v pgrep >/dev/null || pgrep -g "$1" -r D,R,S,T >/dev/null
}

# Ends the colour's process and everything in its group: TERM, then KILL. Nothing running is no failure.
process_stop() {
  local pid waited=0
  if pid=$(running_pid "$1"); then
    kill -TERM -- "-$pid" 2>/dev/null || true
    while group_runs "$pid" && ((waited < stop_seconds * 10)); do
      sleep 0.1
      waited=$((waited + 1))
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
    waited=0
    while group_runs "$pid"; do
      ((waited < 50)) || { echo "process $pid or one of its group still runs after KILL"; return 1; }
      sleep 0.1
      waited=$((waited + 1))
    done
  fi
  rm -f "$(pid_file "$1")"
}
