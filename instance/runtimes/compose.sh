# Runs a colour as a Compose project of its own, from compose.yaml in the colour's folder.
# The file publishes the app as "${HOST}:${PORT}:<port inside>"; its images come along in image.tar or from a registry.
# shellcheck shell=bash disable=SC2154 # release.sh sets what is not set here

# Seconds for one step, because Docker and a registry may hang. In the foreground, so that the agent's TERM to the hook's
# process group ends the step as well.
compose_patience=480
memory_mib=${GREENLIGHT_MEMORY_MIB:-0}
# Another file of variables than the colour's. Set here, so that none comes from outside.
compose_environment=''

compose_file() {
  local name
  for name in compose.yaml compose.yml docker-compose.yml docker-compose.yaml; do
    [[ ! -f $here/$1/$name ]] || { echo "$here/$1/$name"; return 0; }
  done
  return 1
}

compose_project() { echo "greenlight-$service-$1"; }

# compose COLOUR ARGUMENTS…: what the file may name stands before the command. The container sees of it what the file
# hands on.
compose() {
  local colour=$1
  shift
  HOST=$app_address PORT=$(app_port "$colour") GREENLIGHT_SERVICE=$service GREENLIGHT_COLOUR=$colour \
    GREENLIGHT_RELEASE=$release GREENLIGHT_ENV_FILE=${compose_environment:-$(app_environment_file "$colour")} \
    timeout --foreground --kill-after=10 "$compose_patience" \
    docker compose --project-name "$(compose_project "$colour")" "$@" </dev/null
}

containers() {
  timeout --foreground 30 docker ps --quiet --no-trunc --filter "label=com.docker.compose.project=$(compose_project "$1")" "${@:2}"
}

# Only an answer says that nothing runs: a daemon that does not answer may have the version running.
compose_running() {
  local ids
  ids=$(containers "$1" --filter status=running 2>/dev/null) || return 0
  [[ -n $ids ]]
}

compose_log() {
  local id
  tail -n "$2" "$here/run/$1.log" 2>/dev/null || true
  for id in $(containers "$1" --all 2>/dev/null); do timeout --foreground 30 docker logs --tail "$2" "$id" 2>&1; done
}

# Why the colour cannot be started, as far as that shows before anything is touched.
compose_check() {
  local file said compose_environment
  compose_environment=$(app_environment_file "$1").new
  file=$(compose_file "$1") || { echo "$here/$1 holds no compose.yaml"; return 1; }
  command -v docker >/dev/null || { echo "${file##*/} needs Docker, which is not installed"; return 1; }
  said=$(timeout --foreground 30 docker info 2>&1 >/dev/null) ||
    { echo "the Docker daemon does not answer, see systemctl status docker: $(words <<<"$said")"; return 1; }
  # First without what the version is told: of what it cannot read Compose repeats a part, and that may be a secret.
  said=$(compose_environment=/dev/null compose "$1" --file "$file" config --quiet 2>&1) ||
    { echo "Compose cannot read ${file##*/}: $(words <<<"$said")"; return 1; }
  compose "$1" --file "$file" config --quiet >/dev/null 2>&1 ||
    { echo "Compose cannot read $compose_environment, which the kit has written for it"; return 1; }
}

# step WHAT COMMAND…: its output goes to the colour's log; when it fails, its last words are the reason.
step() {
  local what=$1 said status
  shift
  if said=$("$@" 2>&1); then
    printf '%s\n' "$said" >>"$log"
    return 0
  else
    status=$?
  fi
  printf '%s\n' "$said" >>"$log" || true
  [[ $status != 124 && $status != 137 ]] || said+=$'\n'"no end after $compose_patience s"
  echo "$what: $(words <<<"$said")"
  return 1
}

# A name as Docker prints it.
with_tag() { [[ ${1##*/} == *:* || $1 == *@* ]] && echo "$1" || echo "$1:latest"; }

image_id() { timeout --foreground 30 docker image inspect --format '{{.Id}}' "$1"; }

# Loads image.tar and notes in loaded which image each of its names stands for.
load_images() {
  local line name
  step "image.tar could not be loaded" timeout --foreground --kill-after=10 "$compose_patience" docker load --quiet --input "$here/$1/image.tar" ||
    return 1
  while IFS= read -r line; do
    [[ $line =~ ^Loaded\ image(\ ID)?:\ (.+)$ ]] || continue
    name=${BASH_REMATCH[2]}
    loaded[$name]=$(image_id "$name") || { echo "image.tar was loaded, and $name is not there after it"; return 1; }
  done <"$log"
  ((${#loaded[@]} > 0)) || { echo "image.tar was loaded, and holds no image"; return 1; }
}

# In the account's own registry, ECR, the instance's role counts. Docker keeps what it gets for twelve hours, for root only.
log_in() {
  local registry region
  [[ $1 =~ ^([0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?)/ ]] || return 0
  registry=${BASH_REMATCH[1]} region=${BASH_REMATCH[2]}
  step "$registry does not let the instance in, whose role needs the policy AmazonEC2ContainerRegistryPullOnly" \
    log_in_with_role "$registry" "$region"
}

log_in_with_role() {
  local password
  password=$(timeout --foreground --kill-after=10 60 aws ecr get-login-password --region "$2" </dev/null) || return 1
  timeout --foreground --kill-after=10 60 docker login --username AWS --password-stdin "$1" <<<"$password"
}

# A tag that has stayed on the disk may stand for the version before, so what is not in image.tar is pulled. A digest
# stands for one image only, and is pulled when it is missing.
pull_images() {
  local names name
  names=$(compose "$1" --file "$file" config --images 2>>"$log") || { echo "Compose cannot list the images"; return 1; }
  for name in $names; do
    [[ -z ${loaded[$(with_tag "$name")]:-} ]] || continue
    [[ $name != *@sha256:* ]] || ! image_id "$name" >/dev/null 2>&1 || continue
    log_in "$name" || return 1
    step "$name is not in image.tar and could not be pulled" timeout --foreground --kill-after=10 "$compose_patience" \
      docker pull --quiet "$name" || return 1
  done
}

# What was loaded is what will run, and can run here. The names and images of the containers are noted for a start after
# a reboot.
same_images() {
  local ids id name image built_for from_bundle=no
  ids=$(containers "$1" --all) || { echo "Docker does not list the containers"; return 1; }
  [[ -n $ids ]] || { echo "${file##*/} makes no container"; return 1; }
  : >"$here/run/$1.images"
  for id in $ids; do
    read -r name image < <(timeout --foreground 30 docker inspect --format '{{.Config.Image}} {{.Image}}' "$id") || true
    [[ -n ${image:-} ]] || { echo "Docker does not say which image container $id runs"; return 1; }
    printf '%s %s\n' "$name" "$image" >>"$here/run/$1.images" || { echo "$here/run/$1.images cannot be written"; return 1; }
    built_for=$(timeout --foreground 30 docker image inspect --format '{{.Architecture}}' "$image") ||
      { echo "Docker does not say for which processor $name was built"; return 1; }
    [[ -z $built_for || $built_for == "$(image_processor)" ]] ||
      { echo "$name was built for $built_for, and this instance is $(image_processor): build it with --platform linux/$(image_processor)"; return 1; }
    name=$(with_tag "$name")
    [[ -z ${loaded[$name]:-} || ${loaded[$name]} == "$image" ]] ||
      { echo "$name is ${loaded[$name]} in image.tar, and the container has $image"; return 1; }
    [[ " ${loaded[*]:-} " != *" $image "* ]] || from_bundle=yes
  done
  ((${#loaded[@]} == 0)) || [[ $from_bundle == yes ]] ||
    { echo "image.tar holds ${!loaded[*]}, and ${file##*/} starts none of it: write that name after image:"; return 1; }
}

# The instance's limit, for each container that has none of its own. Swap would only make the end slower.
limit_memory() {
  local ids id limit
  ((memory_mib > 0)) || return 0
  ids=$(containers "$1" --all) || { echo "Docker does not list the containers"; return 1; }
  for id in $ids; do
    limit=$(timeout --foreground 30 docker inspect --format '{{.HostConfig.Memory}}' "$id") || limit=unknown
    [[ $limit == 0 ]] || continue
    step "memory could not be limited to $memory_mib MiB" timeout --foreground 30 \
      docker update --memory "${memory_mib}m" --memory-swap "${memory_mib}m" "$id" || return 1
  done
}

# The containers are made, compared and limited before one of them runs.
compose_start() {
  local file log=$here/run/$1.log
  local -A loaded=()
  file=$(compose_file "$1") || { echo "$here/$1 holds no compose.yaml"; return 1; }
  (: >"$log") 2>/dev/null || { echo "$log cannot be written"; return 1; }
  # Neither colour runs what no container uses, and the disk is small.
  timeout --foreground 120 docker image prune --all --force >/dev/null 2>&1 || echo "unused images could not be removed" >>"$log"
  [[ ! -f $here/$1/image.tar ]] || load_images "$1" || return 1
  pull_images "$1" || return 1
  step "the containers could not be made" compose "$1" --file "$file" up --no-start --no-build --remove-orphans || return 1
  same_images "$1" || return 1
  limit_memory "$1" || return 1
  step "the containers could not be started" compose "$1" --file "$file" start || return 1
  # Docker has it now, and the disk is small.
  rm -f "$here/$1/image.tar"
}

# After a reboot: the containers are there and start again, whatever their image is called by now. A version whose
# containers are gone is made again, of the same images only.
compose_resume() {
  local file log=$here/run/$1.log waited=0 ids name image
  file=$(compose_file "$1") || { echo "$here/$1 holds no compose.yaml"; return 1; }
  until ids=$(containers "$1" --all 2>/dev/null); do
    ((waited < 60)) || { echo "the Docker daemon does not answer"; return 1; }
    sleep 1
    waited=$((waited + 1))
  done
  if [[ -z $ids ]]; then
    while read -r name image; do
      [[ $(image_id "$name" 2>/dev/null) == "$image" ]] || { echo "$name is not $image any more"; return 1; }
    done <"$here/run/$1.images"
    step "the containers could not be made" compose "$1" --file "$file" up --no-start --no-build --pull never || return 1
    limit_memory "$1" || return 1
  fi
  step "the containers could not be started" compose "$1" --file "$file" start
}

# By the project's name, because the file of the running version may be gone. Nothing running is no failure.
compose_stop() {
  local log=/dev/null
  step "the containers could not be stopped" compose "$1" down --remove-orphans --timeout "$stop_seconds" || return 1
  [[ -z $(containers "$1" --all) ]] || { echo "containers of $(compose_project "$1") are still there"; return 1; }
}
