#!/bin/bash
# Has the activity on a Debian 12 or 13 machine with one person measured.
# `single-user-vps.sh --help` says how to call it. It needs the folder lib
# beside it: call it from a clone or from a copy of the whole folder deploy.
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
. "$HERE/lib/virtual.sh"

# One person may have a session of another colour depth beside the first.
readonly MAX_SESSIONS=5

usage() {
  cat <<END
Usage: $PROGRAM_NAME URL [OPTION...]
       $PROGRAM_NAME --uninstall [--delete-users] [--dry-run]

Sets up this Debian 12 or 13 machine, on which one person works, to report to
the Activity Tracker server at URL: installs trackerd and enrols it. Run again,
it adds what is missing.

The enrolment token ('trackerd-server enrollment create' on the server) comes
from standard input or ENROLLMENT_TOKEN, else it is asked for.

How the person works here:
  --desktop           over RDP, for which this installs xrdp and a light desktop
                      (XFCE) where they are missing
  --virtual-user NAME on a virtual display (TigerVNC, x2go, NoMachine) of NAME,
                      which is measured only if this says so
With --desktop:
  --user NAME         who may log in; made where there is no such account, with a
                      password that is shown once. Not needed where the machine
                      has one account of a person
  --passwords FILE    write that password to FILE, for root alone, instead
  --no-clipboard      no copying between the person's computer and this machine
  --drives            the person may bring the drives of the computer along
  --clipboard, --no-drives  the defaults, to go back to them
  --settings          set xrdp up anew, also where it was here before
  --address NAME      how the person reaches this machine; found out unless given
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
  --delete-users      with --uninstall: also the account it made, with its home
  --help              this text

Exit codes: 0 done; 1 failed, or trackctl doctor found a problem; 2 wrong command
line; 4 not root. What was done is in $LOG.
END
}

DESKTOP='' VIRTUAL_USER='' PERSON=''

parse() {
  local rest=()
  while [ $# -gt 0 ]; do
    WORDS=1
    case $1 in
    --desktop) DESKTOP=yes ;;
    --virtual-user) value "$@" && VIRTUAL_USER=$2 WORDS=2 ;;
    --user) value "$@" && PERSON=$2 WORDS=2 ;;
    -*) common_option "$@" ;;
    *) rest+=("$1") ;;
    esac
    shift $WORDS
  done
  # What else is given does not matter then.
  [ -n "$UNINSTALL" ] || positional ${rest[@]+"${rest[@]}"}
}

# positional reads URL.
positional() {
  check_options
  [ $# = 1 ] || usage_error "want the server's URL"
  parse_url "$1"
  [ -z "$PERSON" ] || check_name "$PERSON" || usage_error "'$PERSON' cannot be a user's name; want small letters, digits, - and _"
  [ -n "$DESKTOP" ] || [ -z "$PERSON$PASSWORDS_FILE$CLIPBOARD$DRIVES$SETTINGS$ADDRESS$RDP_FILE" ] ||
    usage_error "--user and the options of RDP are for --desktop"
}

# check looks at everything that can go wrong before anything is changed.
check() {
  check_root
  check_system
  check_virtual
  [ -z "$DESKTOP" ] || check_desktop
  find_package
  check_server
}

check_desktop() {
  local people
  if [ -z "$PERSON" ]; then
    mapfile -t people < <(getent passwd | awk -F: '$3 >= 1000 && $3 < 65534 && $7 !~ /(nologin|false)$/ { print $1 }')
    case ${#people[@]} in
    1) PERSON=${people[0]} ;;
    0) fail "nobody but root is here to log in over RDP, and root must not; name somebody with --user NAME" ;;
    *) fail "which of ${people[*]} works here? name one with --user NAME" ;;
    esac
  fi
  check_account "$PERSON"
  [ -e /etc/alternatives/x-session-manager ] || check_space "$RDP_SPACE"
  check_passwords_file
}

set_up() {
  check
  read_token
  STEPS=3
  [ -z "$DESKTOP" ] || STEPS=6
  [ -z "$VIRTUAL_USER" ] || STEPS=$((STEPS + 1))
  start_log
  say "A machine on which one person works, reporting to $URL"
  [ -z "$DESKTOP" ] || set_up_desktop
  step "trackerd"
  install_agent
  step "Enrolment"
  enroll_agent
  if [ -n "$VIRTUAL_USER" ]; then
    step "Virtual display"
    measure_virtual
  fi
  step "Check"
  check_agent
  [ -n "$DRY_RUN" ] || next_steps
  [ -z "$DOCTOR_FAILED" ] || fail "trackctl doctor found problems"
}

set_up_desktop() {
  RDP_FILE=${RDP_FILE:-/root/$(hostname).rdp}
  step "Desktop and RDP"
  install_desktop
  step "xrdp's settings"
  set_up_xrdp
  step "The person"
  add_people "$PERSON"
  write_rdp_file
}

# next_steps ends with what there is left to do.
next_steps() {
  local name
  say ''
  say "Ready. What to do next:"
  say ''
  NUMBER=0
  [ -z "$DESKTOP" ] || rdp_steps "$PERSON"
  for name in $(virtual_users); do
    [ "$name" = "$VIRTUAL_USER" ] ||
      point "$name has a virtual display, which is not measured. If it should be, run this again with
   --virtual-user $name"
  done
  point "Whoever is logged in at a desktop shows up at once in 'trackctl sessions' here, and
   after some minutes at $URL"
}

parse "$@"
if [ -n "$UNINSTALL" ]; then uninstall; else set_up; fi
