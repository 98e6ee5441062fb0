#!/usr/bin/env bash
# Waits until the new version is healthy behind nginx, then asks Greenlight until it says how the release ended.
# While it waits the deployment stays open: that is what makes CodeDeploy's last successful revision the one that
# carries traffic.
source "$(dirname "$0")/release.sh"
# shellcheck source=../nginx/nginx.sh
source "$kit/nginx/nginx.sh"
# shellcheck source=../nginx/counts.sh
source "$kit/nginx/counts.sh"
# shellcheck source=smoke.sh
source "$kit/hooks/smoke.sh"

deadline=3540
health_deadline=${GREENLIGHT_HEALTH_SECONDS:-300}
pause=5
weight=0
phase=installing
reason=''

read_note

# Ends in failure. If the last answer gave the candidate traffic, it is left running: stopping it now would lose
# requests. Greenlight removes the weight when it sees the deployment fail, and the next deployment on this colour
# replaces the candidate.
give_up() {
  trap - ERR TERM
  say_log "$colour"
  if [[ $weight == 0 ]]; then
    lock 60
    take_down
  else
    say "$colour carried $weight % when last heard, and is left running"
  fi
  fail "$1"
}
# Ends in failure too, because Greenlight wants this deployment to fail and what it has installed to run on: it was live
# before, and stands by for a rollback. Nothing takes it down from here on.
leave_running() {
  trap - ERR TERM
  say "$colour is left running"
  fail "$1"
}
trap 'give_up "line $LINENO: $BASH_COMMAND"' ERR
trap 'give_up "ended by the agent after $SECONDS s, in phase $phase"' TERM

read_smoke || give_up "$smoke_fault"
until healthy; do
  owns_colour || fail "another deployment has taken $colour over on this instance"
  runtime_running "$colour" || give_up "release $release has ended by itself before it was healthy"
  (($(seconds_left "$health_deadline") > 0)) ||
    give_up "release $release is not healthy on $colour after $health_deadline s: no 200 from port $(nginx_port "$colour") on /healthz"
  sleep 0.5
done
say "release $release is healthy on $colour"
ask_all_paths || true

# Counts are evidence, and no condition of a release: what goes wrong with them ends nothing.
trap 'end_counting || true' EXIT
begin_counting || true
unanswered_since=''
while (($(seconds_left $deadline) > 0)); do
  owns_colour || fail "another deployment has taken $colour over on this instance"
  count_requests || true
  ask_next_path || true
  if ask ValidateService "$counted$smoke"; then
    unanswered_since=''
    case $(answered status) in
      succeeded)
        say "release $release has succeeded"
        exit 0
        ;;
      failed)
        [[ $(answered leaveRunning) != true ]] || leave_running "$(answered reason)"
        weight=0
        give_up "Greenlight took release $release back: $(answered reason)"
        ;;
      wait)
        heard="$(answered phase) $(answered weight) $(answered reason)"
        [[ $heard == "$phase $weight $reason" ]] ||
          say "phase $(answered phase), $colour at $(answered weight) % $(answered reason)"
        phase=$(answered phase)
        weight=$(answered weight)
        reason=$(answered reason)
        weight=${weight:-0}
        pause=$(answered retryAfterSeconds)
        [[ $pause =~ ^[0-9]+(\.[0-9]+)?$ ]] || pause=5
        ;;
      *) say "asking again: this is no answer that the kit knows: $answer" ;;
    esac
  elif [[ -z $unanswered_since ]]; then
    unanswered_since=$SECONDS
    say "no answer, asking on: $unanswered"
  fi
  sleep "$(may_ask_after "$pause")"
done
give_up "Greenlight has not said how release $release ended within $deadline s, phase $phase${unanswered:+; last: $unanswered}"
