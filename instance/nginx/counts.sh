# How many requests each colour got and failed, minute by minute, while a release is open: nginx writes a line when a
# request arrives and one when it has ended, and each question tells what they add up to. Sourced by ValidateService.
#
# Whatever goes wrong here costs evidence and nothing else, so its caller goes on when one of these functions fails.
# shellcheck shell=bash disable=SC2154 # release.sh sets what is not set here

counts=$nginx_home/counts
# At most this much is read for one question: a million lines take awk about a second.
counts_read_bytes=33554432
# At most this many requests are followed until they end. nginx has connections for fewer.
counts_open_limit=20000
# What was read is given back to the disk in pieces of this size. Where the file system cannot do that, counting ends
# with a log of the second size.
counts_free_bytes=1048576
counts_log_bytes=67108864
counts_freed=0

# Only the deployment that has begun to count may read and end it: a stopped deployment's hook may still be running.
owns_counts() { [[ $(cat "$counts/deployment" 2>/dev/null) == "$DEPLOYMENT_ID" ]]; }

begin_counting() {
  # Without a log, nginx runs with another configuration than the kit's.
  [[ -f $counts/log ]] || return 0
  rm -f "$counts"/permits/*
  { : >"$counts/log" && : >"$counts/kept" && printf '%s\n' "$DEPLOYMENT_ID" >"$counts/deployment"; } 2>/dev/null || return 1
  permit_counting
}

# Lets nginx count for the next 100 to 200 seconds, longer than one question may take. A hook that dies leaves no more
# than that behind.
permit_counting() {
  local now file
  printf -v now '%(%s)T' -1
  now=$((now / 100))
  for file in "$counts"/permits/*; do
    [[ ${file##*/} == "$now" ]] || rm -f "$file"
  done
  { : >"$counts/permits/$now" && : >"$counts/permits/$((now + 1))"; } 2>/dev/null
}

end_counting() {
  owns_counts || return 0
  rm -f "$counts"/permits/* "$counts/deployment"
  # nginx holds the file open, so it is emptied and not deleted.
  { : >"$counts/log"; } 2>/dev/null
}

# Reads what is new in the log, and says what a question tells; nothing where there are no counts.
read_counts() {
  local now read size
  owns_counts || return 1
  printf -v now '%(%s)T' -1
  size=$(stat -c %s "$counts/log") || return 1
  read -r _ read <"$counts/kept" || read=0
  # Somebody has emptied the log.
  ((read <= size)) || { : >"$counts/kept"; read=0; }
  dd if="$counts/log" bs=64K iflag=skip_bytes,count_bytes skip="$read" count="$counts_read_bytes" status=none |
    LC_ALL=C timeout 10 awk -v now="$now" -v limit="$counts_open_limit" -v kept="$counts/kept.new" \
      -f "$kit/nginx/counts.awk" "$counts/kept" - || return 1
  mv "$counts/kept.new" "$counts/kept"
}

# Gives the part of the log that was read back to the disk, without a moment in which nginx could lose a line.
free_counts() {
  local read
  read -r _ read <"$counts/kept" || return 0
  ((read - counts_freed >= counts_free_bytes)) || return 0
  fallocate --punch-hole --offset 0 --length "$read" "$counts/log" || return 1
  counts_freed=$read
}

# Sets $counted to the member of the next question, and lets nginx count on.
count_requests() {
  counted=$(read_counts 2>/dev/null) || counted=''
  [[ -n $counted ]] || return 0
  counted=",\"counts\":$counted"
  free_counts 2>/dev/null || (($(stat -c %s "$counts/log") < counts_log_bytes)) || return 0
  permit_counting
}
