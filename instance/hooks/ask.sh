# Asking Greenlight: one synchronous call of the lifecycle function, and its answer, one JSON object.
# Where curl can sign the call itself, an answer costs milliseconds. The AWS command line takes about a second of CPU to
# start, too much for a small instance that asks every few seconds, so it is used only where curl is too old, finds no
# credentials, or is refused.
# shellcheck shell=bash disable=SC2034 # the hooks that source this use what is set here

metadata=http://169.254.169.254/latest

# from_metadata PATH: what the instance metadata service says; fails where there is none.
from_metadata() {
  local token
  [[ ${AWS_EC2_METADATA_DISABLED:-false} != true ]] || return 1
  token=$(curl -fsS --noproxy '*' --max-time 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$metadata/api/token") || return 1
  curl -fsS --noproxy '*' --max-time 5 -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/$1"
}

# member JSON NAME: a member of the outermost object, unquoted; nothing when it is absent or no scalar. Fails when it cannot
# be read.
member() {
  local rest=$1 name=$2 depth=0 key='' token expect=''
  local pattern='^[[:space:]]*("([^"\\]|\\.)*"|[][{}:,]|[^][{}:,"[:space:]]+)'
  while [[ $rest =~ $pattern ]]; do
    token=${BASH_REMATCH[1]}
    rest=${rest:${#BASH_REMATCH[0]}}
    case $token in
      '{' | '[') depth=$((depth + 1)) expect=key ;;
      '}' | ']') depth=$((depth - 1)) ;;
      :) expect=value ;;
      ,) expect=key ;;
      *)
        if ((depth == 1)) && [[ $expect == key ]]; then
          key=$token
        elif ((depth == 1)) && [[ $expect == value && $key == "\"$name\"" ]]; then
          unquote "$token"
          return
        fi
        ;;
    esac
  done
}

# unquote TOKEN: what a scalar stands for; fails when an escape in it is none, or is what no variable can hold.
unquote() {
  local rest=$1 text='' code character
  if [[ $rest != \"* ]]; then
    [[ $rest == null ]] || printf '%s' "$rest"
    return 0
  fi
  rest=${rest:1:${#rest}-2}
  # From left to right, because what an escape gives is no part of the next one.
  while [[ $rest == *\\* ]]; do
    text+=${rest%%\\*}
    rest=${rest#*\\}
    case $rest in
      [\"\\/]*) text+=${rest:0:1} ;;
      b*) text+=$'\b' ;;
      f*) text+=$'\f' ;;
      n*) text+=$'\n' ;;
      r*) text+=$'\r' ;;
      t*) text+=$'\t' ;;
      u[[:xdigit:]][[:xdigit:]][[:xdigit:]][[:xdigit:]]*)
        code=$((16#${rest:1:4}))
        rest=${rest:4}
        # Two of them stand for a character beyond the first 65,536.
        if ((code >= 0xd800 && code < 0xdc00)) && [[ $rest =~ ^.\\u([dD][c-fC-F][[:xdigit:]][[:xdigit:]]) ]]; then
          code=$((0x10000 + (code - 0xd800 << 10) + 16#${BASH_REMATCH[1]} - 0xdc00))
          rest=${rest:6}
        fi
        ((code > 0 && (code < 0xd800 || code > 0xdfff))) || return 1
        utf8 "$code" character
        text+=$character
        ;;
      *) return 1 ;;
    esac
    rest=${rest:1}
  done
  printf '%s' "$text$rest"
}

# utf8 CODE VARIABLE: puts a character there, whatever the locale is.
utf8() {
  local code=$1 bytes
  if ((code < 0x80)); then
    printf -v bytes '\\x%02x' "$code"
  elif ((code < 0x800)); then
    printf -v bytes '\\x%02x' $((0xc0 | code >> 6)) $((0x80 | code & 63))
  elif ((code < 0x10000)); then
    printf -v bytes '\\x%02x' $((0xe0 | code >> 12)) $((0x80 | code >> 6 & 63)) $((0x80 | code & 63))
  else
    printf -v bytes '\\x%02x' $((0xf0 | code >> 18)) $((0x80 | code >> 12 & 63)) $((0x80 | code >> 6 & 63)) $((0x80 | code & 63))
  fi
  printf -v "$2" '%b' "$bytes"
}

# curl signs session tokens rightly since 7.88.
curl_signs() {
  local version
  version=$(curl --version 2>/dev/null) || return 1
  [[ $version =~ ^curl\ ([0-9]+)\.([0-9]+) ]] || return 1
  ((BASH_REMATCH[1] > 7 || BASH_REMATCH[2] >= 88))
}

# Sets key, secret and session: from the environment, or from the instance's role.
credentials() {
  local role json
  key=${AWS_ACCESS_KEY_ID:-} secret=${AWS_SECRET_ACCESS_KEY:-} session=${AWS_SESSION_TOKEN:-}
  [[ -z $key || -z $secret ]] || return 0
  role=$(from_metadata iam/security-credentials/) || return 1
  json=$(from_metadata "iam/security-credentials/${role%%[[:space:]]*}") || return 1
  key=$(member "$json" AccessKeyId) secret=$(member "$json" SecretAccessKey) session=$(member "$json" Token)
  [[ -n $key && -n $secret ]]
}

# Whom to ask: the function's alias that user data names, NAME:ALIAS, else the one that instances may invoke. Where that is
# refused or not there, the function itself, as it was before it had aliases.
lifecycle=$GREENLIGHT_LIFECYCLE_FUNCTION
aliases=(hooks '')
if [[ $lifecycle =~ ^((arn(:[^:]*){4}:function:)?[^:]+):([^:]+)$ ]]; then
  lifecycle=${BASH_REMATCH[1]} aliases=("${BASH_REMATCH[4]}" '')
fi

# What a call says whose signature, or whose right to ask, is refused, or that asks what is not there. From the beginning,
# because a function that fails may itself tell of a refusal.
is_refused='^the call failed( \(HTTP 403|:.*\(AccessDeniedException\))'
is_not_there='^the call failed( \(HTTP 404|:.*\(ResourceNotFoundException\))'
curl_is_refused=no

# invoke_with_… FOLDER ALIAS: sends FOLDER/question, leaves FOLDER/answer, and says on stdout what went wrong.

# curl gets the secret by stdin, because every user of the machine can read its arguments.
invoke_with_curl() {
  local endpoint outcome
  endpoint=${AWS_ENDPOINT_URL_LAMBDA:-${AWS_ENDPOINT_URL:-https://lambda.$AWS_REGION.${AWS_URL_SUFFIX:-amazonaws.com}}}
  outcome=$({
    printf 'user = "%s:%s"\n' "$key" "$secret"
    [[ -z $session ]] || printf 'header = "X-Amz-Security-Token: %s"\n' "$session"
  } | curl -sS --config - --aws-sigv4 "aws:amz:$AWS_REGION:lambda" --connect-timeout 5 --max-time 80 \
    -H 'Content-Type: application/json' --data-binary "@$1/question" -o "$1/answer" \
    -w '%{http_code} %header{x-amz-function-error}' \
    "${endpoint%/}/2015-03-31/functions/$lifecycle/invocations${2:+?Qualifier=$2}" 2>"$1/error") ||
    { echo "the call failed: $(tr '\n' ' ' <"$1/error")"; return 1; }
  [[ $outcome != '200 ' ]] || return 0
  echo "the call failed (HTTP $outcome): $(head -c 500 "$1/answer" 2>/dev/null | tr '\n' ' ')"
  return 1
}

# Versions 1 and 2 of the command line both send fileb:// as it is, whatever their defaults.
invoke_with_aws() {
  local outcome qualifier=()
  [[ -z $2 ]] || qualifier=(--qualifier "$2")
  outcome=$(AWS_MAX_ATTEMPTS=1 timeout 90 aws lambda invoke --region "$AWS_REGION" \
    --function-name "$lifecycle" "${qualifier[@]}" --payload "fileb://$1/question" \
    --cli-connect-timeout 5 --cli-read-timeout 75 --query FunctionError --output text "$1/answer" \
    2>"$1/error" </dev/null) || { echo "the call failed: $(tr '\n' ' ' <"$1/error")"; return 1; }
  [[ $outcome != None && -n $outcome ]] || return 0
  echo "the function failed ($outcome): $(head -c 500 "$1/answer" | tr '\n' ' ')"
  return 1
}

# invoke HOW FOLDER: by the first alias that is neither refused nor missing. One that has answered is the first from then on,
# and the other stays, because a stack may be updated while a hook waits.
invoke() {
  local alias first=''
  for alias in "${aliases[@]}"; do
    unanswered=$("$1" "$2" "$alias") || true
    [[ $unanswered =~ $is_refused|$is_not_there ]] || break
    first=${first:-$unanswered}
  done
  if [[ -z $unanswered ]]; then
    [[ $alias == "${aliases[0]}" ]] || aliases=("$alias" "${aliases[0]}")
  elif [[ $unanswered =~ $is_refused|$is_not_there ]]; then
    unanswered=$first
  fi
}

# ask EVENT [MEMBERS]: asks one question, with more members of its JSON where there are any, and leaves the answer in
# $answer. If the call fails in any way, a function error included, there is no answer: ask returns 1 and says why in
# $unanswered. $how says how it asked.
ask() {
  local folder key secret session
  how=invoke_with_aws
  folder=$(mktemp -d)
  answer='' unanswered=''
  printf '{"deploymentId":"%s","deploymentGroupId":"%s","lifecycleEvent":"%s","instanceId":"%s","service":"%s"%s}' \
    "$DEPLOYMENT_ID" "$DEPLOYMENT_GROUP_ID" "$1" "$INSTANCE_ID" "$GREENLIGHT_SERVICE" "${2:-}" >"$folder/question"
  # In an address an ARN needs escaping. The command line does that, so it calls a function that is named by its ARN.
  if [[ $curl_is_refused == no && $lifecycle =~ ^[A-Za-z0-9_-]+$ ]] && curl_signs && credentials 2>/dev/null; then
    how=invoke_with_curl
  fi
  invoke "$how" "$folder"
  # curl may sign wrongly where the command line signs rightly, so that one is asked from now on.
  if [[ $how == invoke_with_curl && $unanswered =~ $is_refused ]] && command -v aws >/dev/null; then
    curl_is_refused=yes how=invoke_with_aws
    invoke "$how" "$folder"
  fi
  if [[ -z $unanswered ]]; then
    answer=$(tr '\n' ' ' <"$folder/answer" 2>/dev/null) || answer=''
    [[ $answer == *'{'*'}'* ]] || unanswered="the answer is no JSON object: $answer"
  fi
  rm -rf "$folder"
  [[ -z $unanswered ]]
}

# may_ask_after SECONDS: how long to wait for the next question. What the command line costs is too much for every second.
may_ask_after() {
  if [[ $how == invoke_with_curl ]] || ((${1%.*} >= 5)); then
    echo "$1"
  else
    echo 5
  fi
}

# answered NAME: a member of the answer, and nothing where it cannot be read.
answered() { member "$answer" "$1" || true; }

INSTANCE_ID=${INSTANCE_ID:-$(from_metadata instance-id)} ||
  fail "INSTANCE_ID is not set and the instance metadata service does not answer"
AWS_REGION=${AWS_REGION:-$(from_metadata placement/region)} ||
  fail "AWS_REGION is not set and the instance metadata service does not answer"
export AWS_REGION
