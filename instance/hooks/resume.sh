#!/usr/bin/env bash
# Starts a colour again that ran before the instance went down: DEPLOYMENT_ID is its owner's. Run at boot, by
# greenlight.service, from the kit that the colour was started with.
export INSTANCE_ID=${INSTANCE_ID:-none} DEPLOYMENT_ID
source "$(dirname "$0")/release.sh"

read_note
lock 240
owns_colour || fail "$colour belongs to another deployment now"
# A release may have been installed here that was never started.
lay_replaced
if runtime_running "$colour"; then
  say "release $release runs on $colour"
  exit 0
fi
reason=$("$(runtime_of "$colour")_resume" "$colour" 9>&-) || fail "release $release could not be started again on $colour: $reason"
say "release $release is started again on $colour"
