# What the bundle's smoke.txt names, asked of both colours through nginx: each question tells what was seen, and a candidate
# that answers otherwise than it says gets no traffic. Sourced by ValidateService.
# shellcheck shell=bash disable=SC2034,SC2154 # release.sh sets what is not set here, and the hook uses what is

# A bundle that exceeds one of these is refused before it is released (shared/bundle/src/smoke.rs).
smoke_most=10
smoke_bytes=4096
# Seconds between two times that a path is asked.
smoke_every=30
# Seconds that one answer may take, and a candidate that has just started to answer well.
smoke_patience=3
smoke_warm_up=10

smoke_line='^(/[][A-Za-z0-9/._~%?&=+,:;@!$*()-]*)[[:blank:]]+([2-5][0-9][0-9])([[:blank:]]+(.*[^[:blank:]]))?[[:blank:]]*$'
smoke_path=() smoke_status=() smoke_word=() smoke_told=() smoke_asked=() smoke_times=()
smoke='' smoke_fault=''

# Reads smoke.txt of the candidate; fails and says in $smoke_fault what is wrong.
read_smoke() {
  local file=$here/$colour/smoke.txt line n=0
  [[ -f $file ]] || return 0
  smoke_fault="smoke.txt has more than $smoke_bytes bytes"
  (($(stat -c %s "$file") <= smoke_bytes)) || return 1
  while IFS= read -r line || [[ -n $line ]]; do
    n=$((n + 1))
    line=${line%$'\r'}
    [[ ! $line =~ ^[[:blank:]]*(#.*)?$ ]] || continue
    smoke_fault="line $n of smoke.txt is not PATH STATUS [TEXT]"
    [[ $line =~ $smoke_line ]] || return 1
    smoke_fault="smoke.txt has more than $smoke_most paths"
    ((${#smoke_path[@]} < smoke_most)) || return 1
    smoke_path+=("${BASH_REMATCH[1]}") smoke_status+=("${BASH_REMATCH[2]}") smoke_word+=("${BASH_REMATCH[4]}")
  done <"$file"
}

# smoke_answer N COLOUR: sets $saw to what a colour answers; fails if that is not what is expected. The request has no
# X-Forwarded-For, so it is none that counts.
smoke_answer() {
  local body status fine=false
  body=$(mktemp)
  status=$(curl -s --noproxy '*' --globoff --path-as-is -A greenlight-smoke --connect-timeout 1 --max-time "$smoke_patience" \
    --max-filesize 1048576 -o "$body" -w '%{http_code}' "http://$(health_address):$(nginx_port "$2")${smoke_path[$1]}" 2>/dev/null) ||
    status=0
  if [[ $status == "${smoke_status[$1]}" ]] && { [[ -z ${smoke_word[$1]} ]] || grep -qF -e "${smoke_word[$1]}" -- "$body"; }; then
    fine=true
  fi
  rm -f "$body"
  saw="{\"status\":$((10#$status)),\"fine\":$fine}"
  [[ $fine == true ]]
}

# ask_path N: asks both colours, the first of the two by coin: what happens to both at one time is nobody's fault.
ask_path() {
  local -A seen
  local of both=(blue green)
  ((RANDOM & 1)) || both=(green blue)
  for of in "${both[@]}"; do
    smoke_answer "$1" "$of" || true
    seen[$of]=$saw
  done
  smoke_asked[$1]=$SECONDS
  smoke_times[$1]=$((${smoke_times[$1]:-0} + 1))
  smoke_told[$1]="{\"path\":\"${smoke_path[$1]}\",\"asked\":${smoke_times[$1]},\"blue\":${seen[blue]},\"green\":${seen[green]}}"
}

# Asks everything once, before the first question. What has just started may need a moment for its first answers.
ask_all_paths() {
  local n until=$((SECONDS + smoke_warm_up))
  for n in "${!smoke_path[@]}"; do
    until smoke_answer "$n" "$colour" || ((SECONDS >= until)); do sleep 0.5; done
    ask_path "$n"
  done
  tell_smoke
}

# Asks one path that is due, so that a question is never late for long: the one that was asked longest ago, so that with many
# paths each has its turn.
ask_next_path() {
  local n next=''
  for n in "${!smoke_path[@]}"; do
    [[ -n $next ]] && ((smoke_asked[n] >= smoke_asked[next])) || next=$n
  done
  [[ -n $next ]] && ((SECONDS - smoke_asked[next] >= smoke_every)) || return 0
  ask_path "$next"
  tell_smoke
}

# Sets $smoke to the member of the next question; nothing where the bundle names no path.
tell_smoke() {
  local IFS=,
  smoke=''
  ((${#smoke_told[@]} == 0)) || smoke=",\"smoke\":[${smoke_told[*]}]"
}
