#!/bin/bash
# Makes a Debian 12 or 13 machine one on which several people work over RDP, and
# whose activity is measured. `multi-user-vps.sh --help` says how to call it.
# It needs the folder lib beside it: call it from a clone or from a copy of the
# whole folder deploy.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROGRAM_NAME=${BASH_SOURCE[0]##*/}
readonly HERE PROGRAM_NAME
if [ ! -r "$HERE/lib/base.sh" ]; then
  echo "$PROGRAM_NAME: needs the folder lib beside it; copy the whole folder deploy" >&2
  exit 1
fi
. "$HERE/lib/base.sh"
. "$HERE/lib/options.sh"
. "$HERE/lib/repository.sh"
. "$HERE/lib/agent.sh"
. "$HERE/lib/rdp.sh"

# What a desktop of XFCE with a terminal takes of memory, in megabytes: 135 to 155
# were measured for each of three, and 200 for one alone.
readonly MEMORY_PER_PERSON=200
readonly MAX_PEOPLE=300

usage() {
  cat <<END
Usage: $PROGRAM_NAME N URL [OPTION...]
       $PROGRAM_NAME --names FILE URL [OPTION...]
       $PROGRAM_NAME --uninstall [--delete-users] [--dry-run]

Sets up this Debian 12 or 13 machine for N people, user1 to userN, who work on
it over RDP: xrdp, a light desktop (XFCE), an account with a strong password for
each, and trackerd, which reports to the Activity Tracker server at URL. Run
again, it adds what is missing; accounts that exist keep their passwords.

The enrolment token ('trackerd-server enrollment create' on the server) comes
from standard input or ENROLLMENT_TOKEN, else it is asked for.

People:
  --prefix NAME       NAME1 to NAMEN instead of user1 to userN
  --names FILE        accounts named in FILE, one a line
  --passwords FILE    write new passwords to FILE, for root alone, instead of
                      showing them once at the end
RDP:
  --no-clipboard      no copying between the person's computer and this machine
  --drives            people may bring the drives of their computers along
  --clipboard, --no-drives  the defaults, to go back to them
  --settings          set xrdp up anew, also where it was here before
  --address NAME      how people reach this machine; found out unless given
  --rdp-file FILE     where the file for Windows and Macs goes (/root/HOST.rdp)
trackerd:
  --package FILE      its package; else the newest dist/trackerd_*.deb, else what
                      the server has under URL/packages/
  --fingerprint HEX   of the key that signed the server's packages; without it the
                      server's own word is taken, over https alone
  --allow-http        accept a URL of plain http
Running:
  --dry-run           say what would be done, and change nothing
  --uninstall         take away what this script brought, and say what stays
  --delete-users      with --uninstall: also the accounts it made, with their homes
  --help              this text

Exit codes: 0 done; 1 failed, or trackctl doctor found a problem; 2 wrong command
line; 4 not root. What was done is in $LOG.
END
}

PREFIX=user NAMES_FILE='' COUNT=''
PEOPLE=()

parse() {
  local rest=()
  while [ $# -gt 0 ]; do
    WORDS=1
    case $1 in
    --prefix) value "$@" && PREFIX=$2 WORDS=2 ;;
    --names) value "$@" && NAMES_FILE=$2 WORDS=2 ;;
    -*) common_option "$@" ;;
    *) rest+=("$1") ;;
    esac
    shift $WORDS
  done
  # What else is given does not matter then.
  [ -n "$UNINSTALL" ] || positional ${rest[@]+"${rest[@]}"}
}

# positional reads N and URL.
positional() {
  check_options
  [ -z "$NAMES_FILE" ] || [ $# != 1 ] || set -- '' "$1"
  [ $# = 2 ] || usage_error "want the number of people and the server's URL"
  COUNT=$1
  if [ -n "$COUNT" ] || [ -z "$NAMES_FILE" ]; then
    if ! [[ $COUNT =~ ^[1-9][0-9]{0,3}$ ]] || [ "$COUNT" -gt $MAX_PEOPLE ]; then
      usage_error "'$COUNT' is no number of people; want 1 to $MAX_PEOPLE"
    fi
  fi
  check_name "${PREFIX}$MAX_PEOPLE" || usage_error "'$PREFIX' cannot begin a user's name; want small letters, digits, - and _"
  parse_url "$2"
  name_people
}

# name_people fills PEOPLE.
name_people() {
  local name i
  if [ -z "$NAMES_FILE" ]; then
    for i in $(seq "$COUNT"); do PEOPLE+=("$PREFIX$i"); done
    return
  fi
  [ -r "$NAMES_FILE" ] || usage_error "cannot read $NAMES_FILE"
  while read -r name; do
    name=${name%%#*}
    name=${name%"${name##*[![:space:]]}"}
    [ -n "$name" ] || continue
    check_name "$name" || usage_error "$NAMES_FILE: '$name' cannot be a user's name; want small letters, digits, - and _"
    [[ " ${PEOPLE[*]-} " != *" $name "* ]] || usage_error "$NAMES_FILE: '$name' is there twice"
    PEOPLE+=("$name")
  done < <(tr -d '\r' <"$NAMES_FILE" && echo)
  [ ${#PEOPLE[@]} -gt 0 ] || usage_error "$NAMES_FILE names nobody"
  [ ${#PEOPLE[@]} -le $MAX_PEOPLE ] || usage_error "$NAMES_FILE names ${#PEOPLE[@]} people; want 1 to $MAX_PEOPLE"
  [ -z "$COUNT" ] || [ "$COUNT" = ${#PEOPLE[@]} ] || usage_error "$NAMES_FILE names ${#PEOPLE[@]} people, not $COUNT"
}

# check looks at everything that can go wrong before anything is changed.
check() {
  local name
  check_root
  check_system
  for name in "${PEOPLE[@]}"; do check_account "$name"; done
  find_package
  [ -e /etc/alternatives/x-session-manager ] || check_space "$RDP_SPACE"
  check_passwords_file
  check_server
}

# check_memory only warns: people may come at different times.
check_memory() {
  local has
  has=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
  [ "$has" -ge $((MEMORY_PER_PERSON * ${#PEOPLE[@]})) ] ||
    warn "${#PEOPLE[@]} desktops at once take some $((MEMORY_PER_PERSON * ${#PEOPLE[@]})) MB of memory, and this machine has $has MB"
}

set_up() {
  check
  read_token
  STEPS=6
  MAX_SESSIONS=$((2 * ${#PEOPLE[@]} > 10 ? 2 * ${#PEOPLE[@]} : 10))
  RDP_FILE=${RDP_FILE:-/root/$(hostname).rdp}
  start_log
  say "A machine on which $([ ${#PEOPLE[@]} = 1 ] && echo 1 person works || echo ${#PEOPLE[@]} people work) over RDP, reporting to $URL"
  check_memory
  step "Desktop and RDP"
  install_desktop
  step "xrdp's settings"
  set_up_xrdp
  step "People"
  add_people "${PEOPLE[@]}"
  write_rdp_file
  step "trackerd"
  install_agent
  step "Enrolment"
  enroll_agent
  step "Check"
  check_agent
  [ -n "$DRY_RUN" ] || next_steps
  [ -z "$DOCTOR_FAILED" ] || fail "trackctl doctor found problems"
}

# next_steps ends with all that the administrator has to pass on.
next_steps() {
  say ''
  say "Ready. What to do next:"
  say ''
  rdp_steps "${PEOPLE[@]}"
  point "Somebody who is logged in shows up at once in 'trackctl sessions' here, and after
   some minutes at $URL"
}

parse "$@"
if [ -n "$UNINSTALL" ]; then uninstall; else set_up; fi
