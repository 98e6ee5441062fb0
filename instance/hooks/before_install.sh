#!/usr/bin/env bash
# Asks Greenlight which colour this deployment is for, and notes it for the hooks that follow.
source "$(dirname "$0")/release.sh"

deadline=270
pause=2

# Notes of deployments that are older than a month are not needed any more.
mkdir -p "$home/deployments"
find "$home/deployments" -type f -mtime +30 -delete

while (($(seconds_left $deadline) > 0)); do
  if ask BeforeInstall; then
    colour=$(member "$answer" colour)
    if [[ $(member "$answer" status) == failed ]]; then
      fail "Greenlight refuses this deployment: $(member "$answer" reason)"
    elif [[ $colour == blue || $colour == green ]]; then
      port=$(member "$answer" port)
      release=$(member "$answer" release)
      [[ $port == "$(nginx_port "$colour")" ]] ||
        fail "Greenlight expects $colour on port $port, the kit serves it on $(nginx_port "$colour")"
      write_note "$colour" "$port" "$release"
      say "release $release goes to $colour, port $port"
      exit 0
    fi
    unanswered="no colour yet: $answer"
  fi
  say "asking again in $pause s: $unanswered"
  sleep "$pause"
  pause=$((pause < 15 ? pause * 2 : 15))
done
fail "Greenlight has named no colour within $deadline s; last: $unanswered"
