# What a version is told: where and as what it runs, and its secrets, which its bundle names and does not hold.
# shellcheck shell=bash disable=SC2154 # release.sh sets what is not set here

app_environment_file() { echo "$here/run/$1.env"; }

# secret PLACE: from Parameter Store (ssm:NAME) or Secrets Manager (secretsmanager:NAME, or secretsmanager:NAME#MEMBER of
# the JSON object that it holds).
secret() {
  local value
  case $1 in
    ssm:?*)
      timeout --foreground 60 aws ssm get-parameter --region "$AWS_REGION" --with-decryption --name "${1#ssm:}" \
        --query Parameter.Value --output text </dev/null
      ;;
    secretsmanager:?*)
      value=${1#secretsmanager:}
      value=$(timeout --foreground 60 aws secretsmanager get-secret-value --region "$AWS_REGION" --secret-id "${value%%#*}" \
        --query SecretString --output json </dev/null) || return
      # As JSON, because as text nothing at all is the word None, which a secret may be as well.
      [[ $value != null ]] || { echo "it is binary, and only a text can be told" >&2; return 1; }
      value=$(unquote "$value") || { echo "the command line has written it with an escape that is none of JSON" >&2; return 1; }
      if [[ $1 == *#* ]]; then
        value=$(member "$value" "${1#*#}") || { echo "${1#*#} has an escape in it that is none of JSON" >&2; return 1; }
      fi
      printf '%s\n' "$value"
      ;;
    *)
      echo "a secret stands in ssm:NAME or secretsmanager:NAME" >&2
      return 1
      ;;
  esac
}

# As both Compose and bash read it: between single quotes everything is as it stands, but for Compose a backslash before
# the last one.
fits_single_quotes() { [[ $1 != *\'* && $1 != *\\ ]]; }
quoted() {
  local value=$1
  if ! fits_single_quotes "$value"; then
    value=${value//\\/\\\\}
    value=${value//\"/\\\"}
    printf '"%s"' "${value//\$/\\\$}"
  else
    printf "'%s'" "$value"
  fi
}

# write_app_environment COLOUR: the file that only root can read, under the name .new until the version before has ended.
# It says why when it cannot.
write_app_environment() {
  local file line name place value lines='' said
  file=$(app_environment_file "$1")
  for name in AWS_REGION GREENLIGHT_SERVICE; do lines+="$name=$(quoted "${!name}")"$'\n'; done
  lines+="GREENLIGHT_COLOUR='$1'"$'\n'"GREENLIGHT_RELEASE=$(quoted "$release")"$'\n'
  if [[ -f $here/$1/secrets ]]; then
    said=$(mktemp) || { echo "no temporary file can be made"; return 1; }
    while IFS= read -r line || [[ -n $line ]]; do
      [[ $line =~ [^[:space:]] && $line != \#* ]] || continue
      [[ $line =~ ^([A-Za-z_][A-Za-z0-9_]*)=([^[:space:]]+)$ ]] ||
        { echo "secrets has a line that is neither NAME=ssm:… nor NAME=secretsmanager:…"; rm -f "$said"; return 1; }
      name=${BASH_REMATCH[1]} place=${BASH_REMATCH[2]}
      value=$(secret "$place" 2>"$said") || value=''
      [[ -n $value ]] || { echo "secret $name could not be read from $place: $(words <"$said")"; rm -f "$said"; return 1; }
      # What Compose and bash would read differently.
      if [[ $value == *$'\n'* ]] || { ! fits_single_quotes "$value" && [[ $value == *[\`!]* ]]; }; then
        rm -f "$said"
        echo "secret $name has several lines, or one of \` and ! beside ' or a \\ at its end, which no file of variables can hold"
        return 1
      fi
      lines+="$name=$(quoted "$value")"$'\n'
    done <"$here/$1/secrets"
    rm -f "$said"
  fi
  rm -f "$file.new"
  (umask 077 && printf '%s' "$lines" >"$file.new") 2>/dev/null || { echo "$file.new cannot be written"; return 1; }
}

export_app_environment() {
  set -a
  # shellcheck source=/dev/null
  source "$(app_environment_file "$1")"
  set +a
}
