# The bundle's `migrate`: run once a release, on the instance that Greenlight chooses, before the release has any traffic.
# Sourced by ApplicationStart.
# shellcheck shell=bash disable=SC2154 # release.sh sets what is not set here

# A little before the agent ends the hook (appspec.yml).
migrate_deadline=585

# Whether this instance is the one. Fails, and says why, when nobody says so in time.
is_migrator() {
  local pause=2
  while (($(seconds_left $((migrate_deadline / 2))) > 0)); do
    if ask ApplicationStart; then
      case $(answered migrate)$(answered status) in
        true) echo yes; return 0 ;;
        false) echo no; return 0 ;;
        wait) unanswered="nobody is chosen yet" ;;
        failed) echo "Greenlight refuses to migrate: $(answered reason)"; return 1 ;;
        *) echo "the functions do not know of migrate, and are older than the kit: update the stack"; return 1 ;;
      esac
    fi
    sleep "$pause"
    pause=$((pause < 15 ? pause * 2 : 15))
  done
  echo "Greenlight has not said which instance runs migrate; last: $unanswered"
  return 1
}

# Runs it from the colour's folder, as what the version is told and as its Compose project. Its output goes to a file; when
# it fails, its last words are the reason.
migrate() {
  local program=$here/$colour/migrate log=$here/run/$colour.migrate.log chosen status=0 left
  chosen=$(is_migrator) || { echo "release $release is not migrated: $chosen"; return 1; }
  [[ $chosen == yes ]] || { echo "another instance runs migrate, or none has to"; return 0; }
  [[ -x $program ]] || chmod +x "$program" || { echo "$program cannot be made executable"; return 1; }
  left=$(seconds_left "$migrate_deadline")
  (
    cd "$here/$colour" || exit
    export_app_environment "$colour"
    export HOST=$app_address PORT COMPOSE_PROJECT_NAME GREENLIGHT_ENV_FILE
    PORT=$(app_port "$colour")
    COMPOSE_PROJECT_NAME=$(compose_project "$colour")
    GREENLIGHT_ENV_FILE=$(app_environment_file "$colour")
    exec timeout --foreground --kill-after=10 "$((left > 1 ? left : 1))" "$program"
  ) </dev/null >"$log" 2>&1 || status=$?
  ((status != 0)) || { echo "release $release is migrated after $SECONDS s"; return 0; }
  [[ $status != 124 && $status != 137 ]] || echo "no end after $left s" >>"$log"
  echo "release $release could not be migrated, migrate ended with $status: $(words <"$log")"
  return 1
}
