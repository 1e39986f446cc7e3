#!/bin/sh
# Installs Activity Tracker's agent on this Debian 12 or 13 host from the server that
# this script came from, enrols the host there and examines it:
#
#   curl -fsSL https://SERVER/install.sh | sudo sh
#
# The enrolment token, made by `trackerd-server enrollment create` on the server,
# comes from the variable ENROLLMENT_TOKEN (sudo --preserve-env=ENROLLMENT_TOKEN sh),
# else the terminal is asked for it: every user of a host can read a command line.
#
# Whoever runs this trusts the server with root on this host, now. From then on apt
# takes only what the key named below has signed, which is not on the server. How to
# trust the key alone stands in README.md, under "From the server".
#
# Run again it changes nothing that is right already. All of it is one function,
# which the last line calls: of a download that was cut nothing runs.

activity_tracker_install() {
  set -eu
  umask 022
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  export PATH

  base_url='@BASE_URL@'
  fingerprint='@FINGERPRINT@'
  keyring=/usr/share/keyrings/activity-tracker.gpg
  source=/etc/apt/sources.list.d/activity-tracker.sources
  # No more of a key's file is taken, in bytes.
  key_limit=65536
  work=''
  undo=''
  token=${ENROLLMENT_TOKEN:-}
  # Nothing that is started from here on gets it.
  unset ENROLLMENT_TOKEN

  say() { printf 'install.sh: %s\n' "$*"; }

  fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
  }

  # failed WHAT shows what a program said, and ends.
  failed() {
    tail -n 20 "$work/log" >&2
    fail "$*"
  }

  # quietly runs a program whose words matter only if it fails. Its standard input
  # is not this script.
  quietly() { "$@" >"$work/log" 2>&1 </dev/null; }

  clean_up() {
    if [ -n "$undo" ]; then
      put_back keyring "$keyring"
      put_back source "$source"
    fi
    [ -z "$work" ] || rm -rf "$work"
  }

  # keep NAME FILE remembers a file as it is; put_back makes it so again.
  keep() { [ ! -e "$2" ] || cp -p "$2" "$work/$1"; }
  put_back() {
    if [ -e "$work/$1" ]; then
      mv -f "$work/$1" "$2"
    else
      rm -f "$2"
    fi
  }

  check_host() {
    [ "$(id -u)" = 0 ] || fail "this needs root: curl -fsSL $base_url/install.sh | sudo sh"
    # shellcheck disable=SC1091 # that of the host which it runs on
    system=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-}" "${VERSION_ID:-}") || system=''
    case $system in
    'debian 12' | 'debian 13') ;;
    *) fail "this is for Debian 12 and 13, not for ${system:-an unknown system}; nothing was changed" ;;
    esac
    arch=$(dpkg --print-architecture)
    case $arch in
    amd64 | arm64) ;;
    *) fail "there is no agent for $arch, only for amd64 and arm64; nothing was changed" ;;
    esac
    [ -d /run/systemd/system ] || fail "this host is not run by systemd, which the agent needs; nothing was changed"
  }

  # enrolled_with prints the server that this host reports to, if there is one.
  enrolled_with() {
    command -v trackctl >/dev/null || return 0
    { trackctl status --json 2>/dev/null || :; } | tr -d '\n' |
      sed -n 's/.*"server": *{ *"url": *"\([^"]*\)", *"enrolled": *true.*/\1/p'
  }

  ask_token() {
    # In a shell of its own: a redirection that fails would end this one.
    if ! (: </dev/tty) 2>/dev/null; then
      fail "there is no terminal to ask for the enrolment token: set ENROLLMENT_TOKEN; nothing was changed"
    fi
    # Before the question: who answers at once is not shown either.
    trap 'stty echo </dev/tty; clean_up' EXIT
    stty -echo </dev/tty
    printf 'Enrolment token (not shown): ' >/dev/tty
    IFS= read -r token </dev/tty || :
    stty echo </dev/tty
    trap clean_up EXIT
    printf '\n' >/dev/tty
  }

  check_token() {
    case $token in
    '' | *[!A-Za-z0-9._-]* | .* | *.) ;;
    *.*) return ;;
    esac
    fail "this is no enrolment token: make one with 'trackerd-server enrollment create' on the server; nothing was changed"
  }

  # fetch_key also finds out whether apt reaches the server, by its own means.
  fetch_key() {
    quietly /usr/lib/apt/apt-helper -o Acquire::Retries=2 -o Acquire::https::Timeout=20 \
      download-file "$base_url/packages/activity-tracker.gpg" "$work/fetched/key.gpg" ||
      failed "apt cannot fetch $base_url/packages/activity-tracker.gpg (see above); nothing was changed"
    size=$(wc -c <"$work/fetched/key.gpg")
    if [ "$size" -eq 0 ] || [ "$size" -gt "$key_limit" ]; then
      fail "$base_url/packages/activity-tracker.gpg is no key: $size bytes; nothing was changed"
    fi
  }

  add_source() {
    keep keyring "$keyring"
    keep source "$source"
    undo=yes
    mkdir -p "${keyring%/*}" "${source%/*}"
    cat "$work/fetched/key.gpg" >"$work/key.new"
    mv -f "$work/key.new" "$keyring"
    chmod 0644 "$keyring"
    # apt takes nothing that was not signed by that very key, whatever else the
    # file holds.
    cat >"$work/source.new" <<EOF
# Written by $base_url/install.sh
Types: deb
URIs: $base_url/packages/
Suites: /
Signed-By: $keyring $fingerprint
EOF
    mv -f "$work/source.new" "$source"
    chmod 0644 "$source"
  }

  # update_source reads that one list, and leaves the others as they are.
  update_source() {
    quietly apt-get -q update -o DPkg::Lock::Timeout=300 -o APT::Update::Error-Mode=any -o APT::Get::List-Cleanup=0 \
      -o Dir::Etc::sourcelist="$source" -o Dir::Etc::sourceparts=/dev/null ||
      failed "apt does not accept $base_url/packages/, which must be signed by the key $fingerprint (see above); nothing was changed"
    apt-cache policy trackerd | grep -qF "$base_url/packages" || fail "$base_url/packages/ has no agent for $arch; nothing was changed"
  }

  install_agent() {
    set -- env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
      -o Dpkg::Options::=--force-confold install trackerd
    if ! quietly "$@"; then
      say "fetching Debian's lists of packages first"
      quietly apt-get -q update -o DPkg::Lock::Timeout=300 || failed "apt-get update failed (see above)"
      quietly "$@" || failed "apt-get install trackerd failed (see above)"
    fi
  }

  enrol() {
    printf '%s\n' "$token" | trackctl enroll "$base_url" - ||
      fail "trackerd is installed and measures, but this host is not enrolled (see above); when that is mended: trackctl enroll $base_url -"
  }

  trap clean_up EXIT
  trap 'exit 1' HUP INT TERM
  check_host
  before=$(enrolled_with)
  case $before in
  '')
    [ -n "$token" ] || ask_token
    check_token
    ;;
  "$base_url") ;;
  *) fail "this host reports to $before already; nothing was changed" ;;
  esac

  work=$(mktemp -d)
  # apt fetches as a user of its own.
  mkdir "$work/fetched"
  chmod 0711 "$work"
  chown _apt "$work/fetched"
  say "fetching the key and the list of packages from $base_url"
  fetch_key
  add_source
  update_source
  say "installing trackerd"
  install_agent
  undo=''
  if [ -z "$before" ]; then
    enrol
  else
    say "this host is enrolled there already"
  fi
  trackctl doctor || fail "trackerd is installed and this host enrolled, but see above for what to do"
  say "done; 'apt upgrade' brings new versions, 'trackctl status' shows what is measured"
}

activity_tracker_install
