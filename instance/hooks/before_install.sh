#!/usr/bin/env bash
# Sees that the release is for this processor and fits on the disk, asks Greenlight which colour this deployment is for,
# and notes it for the hooks that follow.
source "$(dirname "$0")/release.sh"

deadline=270
pause=2

# Notes of deployments that are older than a month are not needed any more, but for those of the colours that run.
mkdir -p "$home/deployments"
for owner in "$here"/run/*.deployment; do
  [[ ! -e $owner ]] || touch --no-create "$home/deployments/$(<"$owner")"
done
find "$home/deployments" -type f -mtime +30 -delete

# A bundle that was packed without `greenlight bundle pack` does not say for which processor it is.
if [[ -f $kit/release.json ]]; then
  built_for=$(member "$(<"$kit/release.json")" architecture) || built_for=''
  [[ -z $built_for || $built_for == "$(processor)" ]] ||
    fail "the bundle was packed for $built_for, and this instance is $(processor): build for $(processor) and pack with --architecture $(processor)"
fi

mebibytes_free() { df --output=avail -BM "$1" | tail -n 1 | tr -dc 0-9; }
file_system() { df --output=target "$1" | tail -n 1; }

# The agent has unpacked the bundle here; Install lays the folder app/ down once more, and Docker unpacks image.tar. Some
# space stays for logs. Nothing was touched yet, so a full disk costs nothing but this release.
reserve_mib=100
fits_on_disk() {
  local staged=$reserve_mib image=0 docker_root free
  [[ ! -d $kit/app ]] || staged=$(($(du -sm "$kit/app" | cut -f 1) + reserve_mib))
  if [[ -f $kit/app/image.tar ]]; then
    image=$(du -m "$kit/app/image.tar" | cut -f 1)
    # A compressed one grows about threefold.
    [[ $(head -c 2 "$kit/app/image.tar" | od -An -tx1 | tr -d ' ') != 1f8b ]] || image=$((image * 3))
    docker_root=$(timeout --foreground 30 docker info --format '{{.DockerRootDir}}' 2>/dev/null) || docker_root=$home
    [[ -d $docker_root ]] || docker_root=$home
    if [[ $(file_system "$docker_root") == "$(file_system "$home")" ]]; then
      staged=$((staged + image))
    elif free=$(mebibytes_free "$docker_root") && ((free < image + reserve_mib)); then
      echo "the disk of $docker_root has $free MiB free, and the image needs $((image + reserve_mib))"
      return 1
    fi
  fi
  free=$(mebibytes_free "$home")
  ((free >= staged)) || { echo "the disk of $home has $free MiB free, and the release needs $staged"; return 1; }
}
if ! fits_on_disk >/dev/null; then
  ! command -v docker >/dev/null || timeout --foreground 120 docker image prune --all --force >/dev/null 2>&1 || true
  reason=$(fits_on_disk) || fail "$reason: make the bundle smaller, or give the instances a larger disk"
fi

while (($(seconds_left $deadline) > 0)); do
  if ask BeforeInstall; then
    colour=$(answered colour)
    if [[ $(answered status) == failed ]]; then
      fail "Greenlight refuses this deployment: $(answered reason)"
    elif [[ $colour == blue || $colour == green ]]; then
      port=$(answered port)
      release=$(answered release)
      [[ $port == "$(nginx_port "$colour")" ]] ||
        fail "Greenlight expects $colour on port $port, the kit serves it on $(nginx_port "$colour")"
      write_note "$colour" "$port" "$release" "$(answered standsBy)"
      note_alias || say "$lifecycle is asked by another name than the settings have, which cannot be changed"
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
