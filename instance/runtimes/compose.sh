# Runs a colour as a Compose project of its own, from compose.yaml in the colour's folder.
# The file publishes the app as "${HOST}:${PORT}:<port inside>"; a saved image may come along as image.tar.
# shellcheck shell=bash disable=SC2154 # release.sh sets what is not set here

stop_seconds=${GREENLIGHT_STOP_SECONDS:-30}

compose_file() {
  local name
  for name in compose.yaml compose.yml docker-compose.yml docker-compose.yaml; do
    [[ ! -f $here/$1/$name ]] || { echo "$here/$1/$name"; return 0; }
  done
  return 1
}

# compose COLOUR ARGUMENTS…: with the plugin, or the older program where only that is there.
compose() {
  local colour=$1
  shift
  local program=(docker compose)
  docker compose version >/dev/null 2>&1 || program=(docker-compose)
  HOST=$app_address PORT=$(app_port "$colour") GREENLIGHT_SERVICE=$service GREENLIGHT_COLOUR=$colour \
    GREENLIGHT_RELEASE=$release "${program[@]}" --project-name "greenlight-$service-$colour" "$@"
}

containers() {
  docker ps --quiet --filter "label=com.docker.compose.project=greenlight-$service-$1" "${@:2}"
}

runtime_running() { [[ -n $(containers "$1" --filter status=running) ]]; }

runtime_log() {
  local id
  tail -n "$2" "$here/run/$1.log" 2>/dev/null || true
  for id in $(containers "$1" --all); do docker logs --tail "$2" "$id" 2>&1; done
}

runtime_check() {
  local file
  file=$(compose_file "$1") || { echo "$here/$1 holds no compose.yaml"; return 1; }
  docker info >/dev/null 2>&1 || { echo "the Docker daemon does not answer"; return 1; }
  compose "$1" --file "$file" config --quiet 2>&1 || { echo "$file cannot be read by Compose"; return 1; }
}

runtime_start() {
  {
    [[ ! -f $here/$1/image.tar ]] || docker load --quiet --input "$here/$1/image.tar"
    compose "$1" --file "$(compose_file "$1")" up --detach --remove-orphans
  } >"$here/run/$1.log" 2>&1
}

# Stops by the project's name, because the file of the running version may be gone. Removes untagged images as well:
# every release leaves one, and the disk is small.
runtime_stop() {
  compose "$1" down --remove-orphans --timeout "$stop_seconds"
  docker image prune --force || true
}
