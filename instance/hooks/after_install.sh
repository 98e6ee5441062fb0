#!/usr/bin/env bash
# Moves what Install has staged to the colour's folder, in one step, so that the folder is never half filled. The
# version that was there before is kept under another name until its process has ended.
source "$(dirname "$0")/release.sh"

read_note
lock 240
staging=$home/staging
[[ -d $staging ]] || fail "$staging is missing: the bundle has no folder app/, or Install has not run"

replaced=$here/$colour.replaced
if [[ -d $here/$colour && ! -d $replaced ]]; then
  mv "$here/$colour" "$replaced"
fi
rm -rf "${here:?}/$colour"
mv "$staging" "$here/$colour"
printf '%s\n' "$DEPLOYMENT_ID" >"$(installed_file)"
say "release $release is in $here/$colour"
