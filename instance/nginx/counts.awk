# Adds what nginx has written since the last question to what was counted before. See counts.sh.
#
# Input: the file of what was counted before, then nginx's log from there on.
#   + COLOUR SECONDS CLIENT REQUEST .    a request arrived; the client is - where it only counts as one that came
#   - STATUS DURATION REQUEST .          it has ended
# A last line without its full stop is still being written, and is read with the next question.
# Given: now (seconds), limit (open requests at most), kept (the file to write).
# Output: what is counted now, and on stdout the newest minutes, as a question tells them.

# Of each client the first three requests of a turn count, so that nobody's repetition weighs more than a few people. A
# turn is what arrives between two questions. Which ones are left out is known before they are answered.
BEGIN { of_a_client = 3; minutes = 5; last = int(now / 60); first = last - minutes + 1; known[last] }

FILENAME == ARGV[1] {
  if ($1 == "read") bytes = $2
  if ($1 == "minute") { known[$2]; total[$2, $3] = $4; arrived[$2, $3] = $5; failed[$2, $3] = $6 }
  if ($1 == "open" && $3 >= first) { minute[$2] = $3; colour[$2] = $4; waiting++ }
  next
}

{ bytes += unfinished; unfinished = 0 }
$NF != "." { unfinished = length($0) + 1; next }
{ bytes += length($0) + 1 }

$1 == "+" && NF == 6 {
  at = int($3 / 60)
  if (at < first || at > last + 1) next
  known[at]; total[at, $2]++
  if ($4 == "-" || ++seen[$4] > of_a_client || waiting >= limit) next
  arrived[at, $2]++
  if (!($5 in minute)) waiting++
  minute[$5] = at; colour[$5] = $2
}

# No answer is a failure as well: 000, or a client that has waited for five seconds and left.
$1 == "-" && NF == 5 && ($4 in minute) {
  if ($2 >= 500 || $2 == 0 || ($2 == 499 && $3 >= 5)) failed[minute[$4], colour[$4]]++
  delete minute[$4]; delete colour[$4]; waiting--
}

function count(at, of) {
  return sprintf("\"%s\":{\"arrived\":%d,\"failed\":%d,\"open\":%d,\"total\":%d}", of,
    arrived[at, of], failed[at, of], open[at, of], total[at, of])
}

END {
  printf "read %.0f\n", bytes > kept
  for (request in minute) {
    open[minute[request], colour[request]]++
    print "open", request, minute[request], colour[request] > kept
  }
  for (at = (last + 1 in known) ? first + 1 : first; at <= last + 1; at++) {
    if (!(at in known)) continue
    print "minute", at, "blue", total[at, "blue"] + 0, arrived[at, "blue"] + 0, failed[at, "blue"] + 0 > kept
    print "minute", at, "green", total[at, "green"] + 0, arrived[at, "green"] + 0, failed[at, "green"] + 0 > kept
    text = text (text == "" ? "" : ",") sprintf("{\"minute\":%d,%s,%s}", at, count(at, "blue"), count(at, "green"))
  }
  # A full disk: what was counted before still holds.
  if (close(kept) != 0) exit 1
  printf "[%s]", text
}
