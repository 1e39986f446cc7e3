# shellcheck shell=bash
# shellcheck disable=SC2034 # other parts read what is set here
# What every set-up script needs: messages, the log, dry runs, and the notes of
# what a script brought, by which --uninstall knows what to take away.

# Exit codes are those of trackctl.
readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_NOT_ROOT=4

readonly LOG=/var/log/activity-tracker-setup.log
# Notes lie here, for root alone: packages and users that were brought, and
# settings as they were before.
readonly NOTES=/var/lib/activity-tracker-setup

DRY_RUN=''
STEPS=0
STEP=0
# CHANGED is set by the first change to the machine.
CHANGED=''

say() { printf '%s\n' "$*"; }

# log_line writes to the log alone. No caller passes a password or a token.
log_line() {
  [ -z "$LOGGING" ] || printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$LOG"
}
LOGGING=''

# start_log opens the log, for root alone, and keeps a second run out.
start_log() {
  [ -z "$DRY_RUN" ] || return 0
  # Not in /run/lock, where any user could make and hold it first.
  exec 9>/run/activity-tracker-setup.lock
  flock -n 9 || fail "another run is under way here"
  (umask 077 && : >>"$LOG")
  LOGGING=yes
  log_line "== $PROGRAM_NAME, as started by ${SUDO_USER:-root}"
}

warn() {
  say "  ! $*"
  log_line "warning: $*"
}

# fail ends the script with one clear line.
fail() {
  printf '%s: %s\n' "$PROGRAM_NAME" "$*" >&2
  log_line "failed: $*"
  if [ -n "$CHANGED" ]; then
    printf 'Run it again when that is solved: it goes on where it stopped. Its log is %s.\n' "$LOG" >&2
  else
    printf 'Nothing was changed.\n' >&2
  fi
  exit $EXIT_FAILED
}

# usage_error ends the script before it has looked at anything.
usage_error() {
  printf "%s: %s; see '%s --help'\n" "$PROGRAM_NAME" "$*" "$0" >&2
  exit $EXIT_USAGE
}

# step begins the next of STEPS steps.
step() {
  STEP=$((STEP + 1))
  say "[$STEP/$STEPS] $*"
  log_line "[$STEP/$STEPS] $*"
}

# have says that nothing has to be done.
have() {
  say "  = $*"
  log_line "nothing to do: $*"
}

# act WHAT COMMAND… makes one change, or says what it would be. What the command
# prints goes to the log, and its end to the terminal if it fails.
act() {
  local what=$1 began=$SECONDS mark took=''
  shift
  if [ -n "$DRY_RUN" ]; then
    say "  would $what"
    return
  fi
  CHANGED=yes
  log_line "$what"
  [ ! -t 1 ] || printf '  ... %s' "$what"
  mark=$(wc -c <"$LOG")
  if ! "$@" >>"$LOG" 2>&1; then
    [ ! -t 1 ] || say ''
    tail -c +$((mark + 1)) "$LOG" | tail -n 15 | sed 's/^/    | /' >&2
    fail "could not $what"
  fi
  [ $((SECONDS - began)) -lt 2 ] || took=" ($((SECONDS - began)) s)"
  [ ! -t 1 ] || printf '\r\033[K'
  say "  + $what$took"
}

# clean_up removes what a script kept while it ran.
clean_up() { rm -rf "$WORK"; }

# work_folder makes WORK, which is gone when the script ends. Users pass through
# it, and cannot list it: apt reads packages and fetches as one without rights.
work_folder() {
  [ -z "$WORK" ] || return 0
  WORK=$(mktemp -d)
  trap clean_up EXIT
  chmod 711 "$WORK"
}
WORK=''

# note FILE LINE… adds lines that are not noted yet.
note() {
  local file=$NOTES/$1 line
  shift
  install -d -m 700 "$NOTES"
  for line in "$@"; do
    noted "${file##*/}" "$line" || printf '%s\n' "$line" >>"$file"
  done
}

noted() { grep -qxFe "$2" "$NOTES/$1" 2>/dev/null; }

# notes FILE prints what is noted.
notes() { cat "$NOTES/$1" 2>/dev/null || true; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

installed_packages() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u; }

# missing_packages NAME… prints those that are not installed.
missing_packages() {
  local name
  for name in "$@"; do
    installed "$name" || printf '%s\n' "$name"
  done
}

# apt runs apt-get without questions; other apt runs, as of a machine that has
# just been made, are waited for.
apt() {
  env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none LC_ALL=C.UTF-8 \
    apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null
}

LISTS_FRESH=''
# refresh_lists fetches the package lists, once a run. One archive of several
# that is away is no reason to stop: what is missing shows at the installation.
refresh_lists() {
  [ -z "$LISTS_FRESH" ] || return 0
  act "fetch the package lists" apt update
  LISTS_FRESH=yes
}

# install_packages WHAT PACKAGE… installs with apt, and notes all that this
# brings before it begins, so that nothing is forgotten if it is interrupted. A
# path is a package file.
install_packages() {
  local what=$1 plan count brought
  shift
  if [ -z "$DRY_RUN" ]; then
    plan=$(apt -s --no-install-recommends install "$@" 2>&1) ||
      fail "apt cannot install ${*##*/}: $(grep -m 3 '^E:' <<<"$plan" | tr '\n' ' ')(are the sources in /etc/apt right?)"
    count=$(grep -c '^Inst ' <<<"$plan") || true
    [ "$count" -le 1 ] || what="$what: $count packages"
    # An upgrade names the version that was there in brackets.
    mapfile -t brought < <(awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }' <<<"$plan")
    [ ${#brought[@]} = 0 ] || note packages "${brought[@]}"
  fi
  act "$what" apt --no-install-recommends install "$@"
}

# remove_packages takes away what a script of ours brought and nothing else
# needs. It never takes along what came by other ways.
remove_packages() {
  local ours unneeded
  mapfile -t ours < <(still_installed < <(notes packages | grep -vx trackerd))
  [ ${#ours[@]} -gt 0 ] || return 0
  if [ -n "$DRY_RUN" ]; then
    act "remove the ${#ours[@]} packages that were brought, as far as nothing else needs them"
    return
  fi
  act "mark what was brought as not needed for itself" apt-mark auto "${ours[@]}"
  mapfile -t unneeded < <(comm -12 <(printf '%s\n' "${ours[@]}" | sort -u) <(unneeded_packages))
  [ ${#unneeded[@]} = 0 ] || act "remove ${#unneeded[@]} packages" apt purge "${unneeded[@]}"
  mapfile -t ours < <(printf '%s\n' "${ours[@]}" | still_installed)
  [ ${#ours[@]} = 0 ] && return
  log_line "packages that others need: ${ours[*]}"
  LEFT+=("${#ours[@]} packages that others need by now; the log names them")
}

# unneeded_packages prints what nothing depends on that somebody asked for.
unneeded_packages() {
  apt -s -o APT::AutoRemove::SuggestsImportant=false -o APT::AutoRemove::RecommendsImportant=false autoremove 2>/dev/null |
    sed -n 's/^Remv \([^ ]*\).*/\1/p' | sort -u
}

# still_installed prints those of the packages on its standard input.
still_installed() { comm -12 <(sort -u) <(installed_packages); }

# is_person UID reports whether such a number is a person's, and no system's.
is_person() { [ "$1" -ge 1000 ] && [ "$1" -lt 65534 ]; }

# check_root and check_system look at what no option can change.
check_root() {
  [ "$(id -u)" = 0 ] && return
  printf '%s: must be run as root: sudo %s ...\n' "$PROGRAM_NAME" "$0" >&2
  exit $EXIT_NOT_ROOT
}

check_system() {
  local ID='' VERSION_ID='' PRETTY_NAME='an unknown system'
  # shellcheck source=/dev/null
  [ ! -r /etc/os-release ] || . /etc/os-release
  case $ID:$VERSION_ID in
  debian:12 | debian:13) ;;
  *) fail "needs Debian 12 or 13, and this is $PRETTY_NAME" ;;
  esac
  [ -d /run/systemd/system ] || fail "this machine is not run by systemd (a container?); a real or virtual machine is needed"
  [ -z "$(dpkg --audit 2>/dev/null)" ] || fail "dpkg was interrupted here; run 'dpkg --configure -a' first"
}

# check_space MEGABYTES ends the script where the disk is too full.
check_space() {
  local free
  free=$(df --output=avail -m /usr | tail -n 1)
  [ "$free" -ge "$1" ] || fail "needs $1 MB of disk, and only ${free// /} MB are free"
}

# parse_url sets URL without a slash at its end, SERVER_HOST and SERVER_PORT.
# Plain http is for a server on this machine, or by --allow-http.
parse_url() {
  local form='^(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:([0-9]{1,5}))?(/[A-Za-z0-9._~/-]*)?$'
  [[ $1 =~ $form ]] || usage_error "'$1' is no server's URL; want https://tracker.example.org"
  URL=$1
  while [ "${URL%/}" != "$URL" ]; do URL=${URL%/}; done
  SERVER_SCHEME=${BASH_REMATCH[1]} SERVER_HOST=${BASH_REMATCH[2]} SERVER_PORT=${BASH_REMATCH[4]}
  SERVER_HOST=${SERVER_HOST#[}
  SERVER_HOST=${SERVER_HOST%]}
  if [ -z "$SERVER_PORT" ]; then
    SERVER_PORT=443
    [ "$SERVER_SCHEME" = https ] || SERVER_PORT=80
  fi
  [ "$SERVER_SCHEME" = https ] || [ -n "$ALLOW_HTTP" ] || loopback "$SERVER_HOST" ||
    usage_error "'$1' is plain http, which everybody on the way can read and change; want https, or --allow-http on a network where nobody else listens"
}

loopback() {
  case $1 in
  localhost | ::1) ;;
  127.*) [[ $1 =~ ^127(\.[0-9]{1,3}){3}$ ]] ;;
  *) return 1 ;;
  esac
}

# check_server ends the script where the server cannot be reached. A bare Debian
# has neither curl nor certificates: there only the connection is tried, and
# enrolling checks the rest.
check_server() {
  local said rc=0
  if command -v curl >/dev/null && installed ca-certificates; then
    said=$(curl -fsS -o /dev/null --max-time 20 "$URL/healthz" 2>&1) || rc=$?
    case $rc in
    0) ;;
    22) fail "$URL answers, but not as an Activity Tracker server does (${said##*: })" ;;
    *) fail "cannot reach $URL: ${said#curl: }" ;;
    esac
  elif [ -z "${https_proxy:-}${HTTPS_PROXY:-}" ]; then
    # shellcheck disable=SC2016 # the inner bash expands them
    said=$(timeout 20 bash -c 'exec 3<>"/dev/tcp/$1/$2"' connect "$SERVER_HOST" "$SERVER_PORT" 2>&1) ||
      fail "cannot reach $SERVER_HOST on port $SERVER_PORT: $(reason "$said")"
  fi
}

# reason makes one clause of what bash says of a connection that failed.
reason() {
  local last=${1##*$'\n'}
  [ -n "$1" ] || last="no answer within 20 s"
  case $1 in
  *"ame or service not known"* | *"ailure in name resolution"* | *"ddress family"*) last="the name is not known; is the network up, and the URL right?" ;;
  *"onnection refused"*) last="connection refused" ;;
  *"etwork is unreachable"*) last="no network" ;;
  esac
  printf '%s' "$last"
}
