# One nginx per instance for both colours. Sourced by ApplicationStart, which starts it, and by ValidateService, because of
# its folder.
# shellcheck shell=bash disable=SC2154 # release.sh sets what is not set here

nginx_home=$home/nginx

render() {
  sed -e "s|@HOME@|$nginx_home|g" -e "s|@LISTEN@|$nginx_address|g" -e "s|@APP@|$app_address|g" \
    -e "s|@BLUE@|$(nginx_port blue)|g" -e "s|@GREEN@|$(nginx_port green)|g" \
    -e "s|@BLUE_APP@|$(app_port blue)|g" -e "s|@GREEN_APP@|$(app_port green)|g" "$kit/nginx/nginx.conf"
}

# The instance's own, or what boot/greenlight.sh has written where nginx runs as a container.
nginx_program() {
  if [[ -x $nginx_home/program ]]; then echo "$nginx_home/program"; else PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx; fi
}

nginx_running() {
  local pid
  pid=$(cat "$nginx_home/nginx.pid" 2>/dev/null) && [[ -n $pid ]] && grep -qa '^nginx: master' "/proc/$pid/cmdline" 2>/dev/null
}

# Makes nginx run with the kit's configuration. If it already does, it is left alone: a reload closes idle connections
# that the load balancer may just be using. On failure it says why.
serve_colours() {
  local nginx
  nginx=$(nginx_program) || { echo "nginx is not installed"; return 1; }
  mkdir -p "$nginx_home/tmp" "$nginx_home/counts/permits"
  # nginx's workers are another user's, whatever the agent's umask is.
  chmod 755 "$nginx_home/counts" "$nginx_home/counts/permits"
  render >"$nginx_home/nginx.conf.new"
  if nginx_running && cmp -s "$nginx_home/nginx.conf.new" "$nginx_home/nginx.conf"; then
    rm -f "$nginx_home/nginx.conf.new"
    return 0
  fi
  if ! "$nginx" -t -q -p "$nginx_home" -c "$nginx_home/nginx.conf.new" -e "$nginx_home/error.log" 2>"$nginx_home/test.log"; then
    echo "nginx refuses the kit's configuration: $(grep -m 1 -e emerg -e Error "$nginx_home/test.log" || tail -n 1 "$nginx_home/test.log")"
    return 1
  fi
  mv "$nginx_home/nginx.conf.new" "$nginx_home/nginx.conf"
  if nginx_running; then
    kill -HUP "$(cat "$nginx_home/nginx.pid")"
  else
    detached "${own_scope[@]}" "$nginx" -p "$nginx_home" -c "$nginx_home/nginx.conf" -e "$nginx_home/error.log" ||
      { echo "nginx did not start: $(tail -n 1 "$nginx_home/error.log")"; return 1; }
  fi
}
