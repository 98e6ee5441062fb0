#!/usr/bin/env bash
# Makes an instance ready for releases, and after a reboot starts what ran on it.
#
#   greenlight.sh install   by user data, which holds this script whole: an instance has nothing else at its first boot
#   greenlight.sh resume    by greenlight.service, at every later boot
#
# install is told by variables: GREENLIGHT_SERVICE, GREENLIGHT_LIFECYCLE_FUNCTION, AWS_REGION, AGENT (1 or 2),
# COMPOSE_VERSION (v2.29.7), COMPOSE_SHA256 (of its program for this processor; see compose_sha256), NGINX_IMAGE (an image that
# nginx runs from; none is the distribution's), AWS_URL_SUFFIX, and any other GREENLIGHT_ setting of the kit. It may run again:
# what is there stays. For Amazon Linux 2023 and Ubuntu 24.04.
set -Eeuo pipefail

root=${GREENLIGHT_ROOT:-}
home=$root/opt/greenlight
nginx_home=$home/nginx
settings=$root/etc/greenlight/environment
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'greenlight: %s\n' "$*"; }

# User data hands the first line that failed on to CloudFormation.
trap 'say "FAILED: line $LINENO: $BASH_COMMAND"' ERR

# The network of an instance that boots, and what it loads from, fail now and then.
again() {
  local left=5
  until "$@"; do
    left=$((left - 1))
    ((left > 0)) || { say "FAILED: $*"; return 1; }
    sleep 5
  done
}

# download ADDRESS FILE
download() { again curl -fsSL --connect-timeout 10 --max-time 300 -o "$2" "$1"; }

# put FILE MODE: writes what comes in, whole or not at all.
put() {
  mkdir -p "${1%/*}"
  cat >"$1.new"
  chmod "$2" "$1.new"
  mv "$1.new" "$1"
}

# --- install ---

# Agent 1.x runs on Ruby, and its installer knows none that is newer than 3.2 (aws-codedeploy-agent, bin/install). Amazon
# Linux has that under a name of its own; `ruby` there is whichever is newest.
install_packages() {
  local ruby=()
  if command -v dnf >/dev/null; then
    [[ $AGENT != 1 ]] || ruby=(ruby3.2)
    again dnf install -y -q docker nginx unzip logrotate "${ruby[@]}"
  else
    [[ $AGENT != 1 ]] || ruby=(ruby)
    export DEBIAN_FRONTEND=noninteractive
    again apt-get update -qq
    again apt-get install -y -qq docker.io nginx unzip curl logrotate "${ruby[@]}"
  fi
  # The distribution's own nginx would take port 80, and serve its welcome page there.
  systemctl disable --now nginx 2>/dev/null || true
  systemctl enable --now docker
}

# What Compose's program has to be. Of a version that is not known here its publisher says so, where the program lies as
# well: that shows damage, and no forgery, for which there is COMPOSE_SHA256.
compose_sha256() {
  [[ -z ${COMPOSE_SHA256:-} ]] || { echo "$COMPOSE_SHA256"; return 0; }
  case $COMPOSE_VERSION-$(uname -m) in
    v2.29.7-aarch64) echo 6e9fbd5daa20dca5d7d89145081ae8155d68ef2928b497d9f85b54fe0f9dbb2c ;;
    v2.29.7-x86_64) echo 383ce6698cd5d5bbf958d2c8489ed75094e34a77d340404d9f32c4ae9e12baf0 ;;
    *)
      download "$1.sha256" "$2.sha256" >&2 || return 1
      cut -d ' ' -f 1 "$2.sha256"
      rm -f "$2.sha256"
      ;;
  esac
}

install_compose() {
  local plugin=$root/usr/local/lib/docker/cli-plugins/docker-compose wanted address new
  address="https://github.com/docker/compose/releases/download/$COMPOSE_VERSION/docker-compose-linux-$(uname -m)"
  mkdir -p "${plugin%/*}"
  new=$plugin.new
  wanted=$(compose_sha256 "$address" "$new")
  ! is_sha256 "$plugin" "$wanted" || return 0
  download "$address" "$new"
  is_sha256 "$new" "$wanted" || { say "FAILED: $address is not what its checksum $wanted says"; return 1; }
  chmod 755 "$new"
  mv "$new" "$plugin"
}

is_sha256() { [[ -f $1 && $(sha256sum "$1" | cut -d ' ' -f 1) == "$2" ]]; }

# Docker keeps all output of a container for ever by default. live-restore: containers run on while the daemon restarts.
# Written before the packages, because Ubuntu's starts the daemon.
configure_docker() {
  local file=$root/etc/docker/daemon.json
  [[ -e $file ]] || put "$file" 644 <<'END'
{ "log-driver": "json-file", "log-opts": { "max-size": "20m", "max-file": "3" }, "live-restore": true }
END
}

write_settings() {
  local name
  for name in GREENLIGHT_SERVICE GREENLIGHT_LIFECYCLE_FUNCTION AWS_REGION AGENT COMPOSE_VERSION; do
    [[ -n ${!name:-} ]] || { say "FAILED: $name is not set: user data sets it before it runs this"; return 1; }
  done
  [[ $AGENT == [12] ]] || { say "FAILED: AGENT is '$AGENT', and not 1 or 2"; return 1; }
  for name in AWS_REGION "${!AWS_URL_SUFFIX@}" "${!GREENLIGHT_@}"; do
    [[ $name == GREENLIGHT_ROOT ]] || printf '%s=%s\n' "$name" "${!name}"
  done | put "$settings" 600
}

# What the kit and this script start in place of the distribution's nginx, with the same words. The container has the
# instance's network and processes, and of its files this folder only: so its address, its pid, its log and a reload are what
# they are without one. Docker does not start it again by itself: after a reboot this unit does.
write_nginx_program() {
  rm -f "$nginx_home/program"
  [[ -n ${NGINX_IMAGE:-} ]] || return 0
  docker image inspect "$NGINX_IMAGE" >/dev/null 2>&1 || again docker pull --quiet "$NGINX_IMAGE"
  put "$nginx_home/program" 755 <<END
#!/usr/bin/env bash
container=(--network host --pid host --ulimit nofile=16384 --read-only --volume '$nginx_home:$nginx_home'
  --entrypoint nginx '$NGINX_IMAGE')
[[ " \$* " != *' -t '* ]] || exec docker run --rm "\${container[@]}" "\$@"
docker rm --force greenlight-nginx >/dev/null 2>&1
said=\$(docker run --detach --name greenlight-nginx "\${container[@]}" "\$@" -g 'daemon off;' 2>&1) ||
  { printf '%s\n' "\${said%%See *}" | head -n 1 >>'$nginx_home/error.log'; exit 1; }
# Like nginx itself: over when it runs, or has said in its log why it does not.
for _ in {1..50}; do
  grep -qa '^nginx: master' "/proc/\$(cat '$nginx_home/nginx.pid')/cmdline" 2>/dev/null && exit
  sleep 0.1
done
exit 1
END
}

# Until the first release: 503 and not a refused connection. The first release brings a configuration of its own.
write_first_answer() {
  local address=${GREENLIGHT_ADDRESS:-0.0.0.0}
  [[ ! -e $nginx_home/nginx.conf ]] || return 0
  mkdir -p "$nginx_home/tmp"
  put "$nginx_home/nginx.conf" 644 <<END
pid $nginx_home/nginx.pid;
error_log $nginx_home/error.log crit;
events { worker_connections 1024; }
http {
    access_log off;
    server_tokens off;
    client_body_temp_path $nginx_home/tmp/body;
    proxy_temp_path $nginx_home/tmp/proxy;
    fastcgi_temp_path $nginx_home/tmp/fastcgi;
    uwsgi_temp_path $nginx_home/tmp/uwsgi;
    scgi_temp_path $nginx_home/tmp/scgi;
    server {
        listen $address:8080;
        listen $address:8081;
        add_header Retry-After 10 always;
        location / { return 503 "no release has been installed here\n"; }
    }
}
END
}

# Programs that nobody turns the log of. Containers' logs are Docker's.
rotate_logs() {
  put "$root/etc/logrotate.d/greenlight" 644 <<END
$home/*/run/*.log {
    size 50M
    rotate 2
    compress
    missingok
    copytruncate
}
END
}

install_unit() {
  local program=$root/usr/local/sbin/greenlight
  [[ $0 -ef $program ]] || put "$program" 755 <"$0"
  # What it starts lives on in scopes of its own, so nothing of it is killed when the unit stops.
  put "$root/etc/systemd/system/greenlight.service" 644 <<'END'
[Unit]
Description=Greenlight: nginx, and the versions that ran before a reboot
Wants=network-online.target
After=network-online.target docker.service
Before=codedeploy-agent.service

[Service]
Type=oneshot
RemainAfterExit=yes
KillMode=process
TimeoutStartSec=900
ExecStart=/usr/local/sbin/greenlight resume

[Install]
WantedBy=multi-user.target
END
  systemctl daemon-reload
  systemctl enable greenlight.service
}

# Last of all, because the agent begins with the first installation as soon as it runs. What it keeps beside the last
# revision is five archives by default, each with its image.
install_agent() {
  local configuration=$root/etc/codedeploy-agent/conf/codedeployagent.yml folder=latest installer
  [[ ! -e $root/opt/codedeploy-agent/bin/codedeploy-agent ]] || return 0
  put "$configuration" 644 <<'END'
---
:log_aws_wire: false
:log_dir: '/var/log/aws/codedeploy-agent/'
:pid_dir: '/opt/codedeploy-agent/state/.pid/'
:program_name: codedeploy-agent
:root_dir: '/opt/codedeploy-agent/deployment-root'
:verbose: false
:wait_between_runs: 1
:proxy_uri:
:max_revisions: 2
END
  [[ $AGENT == 1 ]] || folder=latestv2
  installer=$(mktemp)
  download "https://aws-codedeploy-$AWS_REGION.s3.$AWS_REGION.${AWS_URL_SUFFIX:-amazonaws.com}/$folder/install" "$installer"
  chmod 755 "$installer"
  again "$installer" auto
  rm -f "$installer"
  # An installer that brings a configuration of its own has started the agent with it.
  if ! grep -q '^:max_revisions: 2$' "$configuration"; then
    sed -i '/^:max_revisions:/d' "$configuration"
    echo ':max_revisions: 2' >>"$configuration"
    systemctl restart codedeploy-agent
  fi
}

install_all() {
  write_settings
  configure_docker
  install_packages
  install_compose
  write_first_answer
  write_nginx_program
  rotate_logs
  install_unit
  start_nginx
  install_agent
  say "ready for releases of $GREENLIGHT_SERVICE"
}

# --- resume ---

# Beside the agent's and this unit's processes, so that it lives on when they stop.
own_scope=()
if [[ -d /run/systemd/system && -z $root ]] && ((EUID == 0)) && command -v systemd-run >/dev/null; then
  own_scope=(systemd-run --quiet --scope --collect --slice=greenlight)
fi

# With the configuration that the last release has left.
start_nginx() {
  local nginx=nginx pid
  [[ ! -x $nginx_home/program ]] || nginx=$nginx_home/program
  pid=$(cat "$nginx_home/nginx.pid" 2>/dev/null) || pid=''
  if [[ -n $pid ]] && grep -qa '^nginx: master' "/proc/$pid/cmdline" 2>/dev/null; then return 0; fi
  "${own_scope[@]}" "$nginx" -p "$nginx_home" -c "$nginx_home/nginx.conf" -e "$nginx_home/error.log" </dev/null ||
    { say "FAILED: nginx did not start: $(tail -n 1 "$nginx_home/error.log")"; return 1; }
}

# Each colour that a deployment owns, by the kit that started it. One that was being started when the instance went down
# has left no kit: it never ran, and its deployment ends without it.
resume() {
  local owner colour kit failed=0
  [[ ! -e $nginx_home/nginx.conf ]] || start_nginx || failed=1
  for owner in "$home"/*/run/*.deployment; do
    [[ -e $owner ]] || continue
    colour=$(basename "$owner" .deployment)
    kit=${owner%/*}/$colour.kit
    if [[ ! -d $kit ]]; then
      say "$colour was not started to its end and stays down"
      continue
    fi
    DEPLOYMENT_ID=$(<"$owner") timeout 300 bash "$kit/hooks/resume.sh" </dev/null || failed=1
  done
  return "$failed"
}

case ${1:-install} in
  install) install_all ;;
  resume) resume ;;
  *) echo "usage: greenlight.sh install | resume" >&2; exit 2 ;;
esac
