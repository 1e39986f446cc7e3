# shellcheck shell=bash
# shellcheck disable=SC2034 # other parts read what is set here
# trackerd on this machine: where its package comes from, enrolling, checking,
# and taking it away again.

readonly CONFIG=/etc/trackerd/config.yaml
readonly MAX_TOKEN=4096 # bytes; a token has less than 100
# What trackerd's package only recommends: certificates of authorities, and
# logind's notice of who logs in.
readonly AGENT_NEEDS=(ca-certificates libpam-systemd)

# find_package sets PACKAGE to the file that is to be installed: the one that
# was named, or the newest that lies beside the scripts. It is empty where
# trackerd is here already, or where it comes from the server's repository
# (FROM_SERVER).
find_package() {
  local arch dir file
  arch=$(dpkg --print-architecture)
  if [ -n "$PACKAGE" ]; then
    check_package "$PACKAGE" "$arch"
    return
  fi
  for dir in "$HERE/../dist" "$HERE/dist" "$HERE"; do
    for file in "$dir"/trackerd_*_"$arch".deb; do
      [ -f "$file" ] || continue
      if ! check_owner "$dir" || ! check_owner "$file"; then
        fail "$file may be another user's: name it with --package FILE if you trust it"
      fi
      if [ -z "$PACKAGE" ] || [ "$file" -nt "$PACKAGE" ]; then PACKAGE=$file; fi
    done
  done
  if [ -n "$PACKAGE" ]; then
    check_package "$PACKAGE" "$arch"
  elif ! installed trackerd; then
    find_repository "$arch"
  fi
}

# check_owner FILE reports whether only root, or whoever called sudo, can have put
# it there. Scripts that were copied to /tmp would else install as root what any
# user laid into /tmp/dist.
check_owner() {
  local uid mode
  read -r uid mode < <(stat -L -c '%u %a' "$1") || return
  [ "$uid" = 0 ] || [ "$uid" = "${SUDO_UID:-0}" ] || return
  (((8#$mode & 8#022) == 0))
}

# check_package FILE ARCHITECTURE refuses what is no package of trackerd for
# this machine, and sets PACKAGE_VERSION.
check_package() {
  local name arch
  [ -f "$1" ] || fail "there is no file $1"
  name=$(dpkg-deb -f "$1" Package 2>/dev/null) || fail "$1 is no Debian package"
  [ "$name" = trackerd ] || fail "$1 is the package '$name'; want that of trackerd"
  arch=$(dpkg-deb -f "$1" Architecture)
  [ "$arch" = "$2" ] || [ "$arch" = all ] || fail "$1 is for $arch, and this machine is $2"
  PACKAGE=$(readlink -f "$1")
  PACKAGE_VERSION=$(dpkg-deb -f "$1" Version)
}

agent_version() { dpkg-query -W -f '${Version}' trackerd 2>/dev/null || true; }

# install_agent installs trackerd, or a newer one over an older one.
install_agent() {
  local missing have_version
  mapfile -t missing < <(missing_packages "${AGENT_NEEDS[@]}")
  have_version=$(agent_version)
  if installed trackerd && { [ -z "$PACKAGE" ] || dpkg --compare-versions "$PACKAGE_VERSION" le "$have_version"; }; then
    have "trackerd $have_version is installed"
    [ ${#missing[@]} = 0 ] || { refresh_lists && install_packages "install ${missing[*]}" "${missing[@]}"; }
    return
  fi
  [ ${#missing[@]} = 0 ] || refresh_lists
  if [ -n "$FROM_SERVER" ]; then
    install_from_server "${missing[@]}"
    return
  fi
  if [ -n "$DRY_RUN" ]; then
    act "install trackerd $PACKAGE_VERSION${missing[*]:+ with ${missing[*]}}"
    return
  fi
  work_folder
  install -m 644 "$PACKAGE" "$WORK/trackerd.deb"
  install_packages "install trackerd $PACKAGE_VERSION${missing[*]:+ with ${missing[*]}}" "$WORK/trackerd.deb" "${missing[@]}"
}

# enrolled_with prints the server that this machine reports to.
enrolled_with() {
  command -v trackctl >/dev/null || return 0
  trackctl --json status 2>/dev/null | awk '
    /^  "server": \{/ { inside = 1 }
    inside && /"url":/ { split($0, part, "\""); url = part[4] }
    inside && /"enrolled": true/ { enrolled = 1 }
    inside && /^  \}/ { exit }
    END { sub("/+$", "", url); if (enrolled) print url }'
}

# read_token sets TOKEN from the environment, standard input or the terminal,
# and never from the command line, which every user can read. It asks before
# anything is changed, so that nobody has to wait for the question.
read_token() {
  TOKEN=${ENROLLMENT_TOKEN:-}
  # Nothing that is started from here on gets it.
  unset ENROLLMENT_TOKEN
  [ -z "$DRY_RUN" ] || return 0
  if [ "$(enrolled_with)" = "$URL" ]; then return; fi
  [ -n "$TOKEN" ] || [ -t 0 ] || TOKEN=$(head -c $MAX_TOKEN | tr -d '\r\n\t ')
  if [ -z "$TOKEN" ]; then
    # The terminal is asked also where standard input is something else.
    { exec 3<>/dev/tty; } 2>/dev/null ||
      fail "needs an enrolment token (on the server: trackerd-server enrollment create): give it on standard input or as ENROLLMENT_TOKEN"
    # Before the question: who answers at once is not shown either.
    trap 'stty echo <&3; clean_up' EXIT
    stty -echo <&3
    printf 'Enrolment token of %s (not shown): ' "$URL" >&3
    IFS= read -r TOKEN <&3 || true
    stty echo <&3
    trap clean_up EXIT
    printf '\n' >&3
    exec 3>&-
  fi
  [[ $TOKEN =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]] ||
    fail "that is no enrolment token; one looks like id.secret, and comes from 'trackerd-server enrollment create' on the server"
}

# enroll_agent makes this machine report to URL.
enroll_agent() {
  local with
  with=$(enrolled_with)
  if [ "$with" = "$URL" ]; then
    have "reports to $URL"
    return
  fi
  act "enrol with $URL" feed_token trackctl enroll "$URL" - ${ALLOW_HTTP:+--allow-http}
}

feed_token() { printf '%s\n' "$TOKEN" | "$@"; }

# check_agent has the doctor look at everything, and sets DOCTOR_FAILED.
check_agent() {
  local said rc=0
  if [ -n "$DRY_RUN" ]; then
    act "check everything with trackctl doctor"
    return
  fi
  said=$(trackctl doctor 2>&1) || rc=$?
  log_line "trackctl doctor: exit code $rc"
  printf '%s\n' "$said" >>"$LOG"
  if [ $rc = 0 ] && ! grep -q '^warning' <<<"$said"; then
    say "  + trackctl doctor: no problem found"
    return
  fi
  printf '%s\n' "$said" | sed 's/^/    /'
  [ $rc = 0 ] || DOCTOR_FAILED=yes
}
DOCTOR_FAILED=''

# remove_agent takes trackerd away if a script of ours brought it.
remove_agent() {
  local status waiting host
  if ! installed trackerd; then
    have "trackerd is not installed"
  elif ! noted packages trackerd; then
    have "trackerd was here before: left as it is"
  else
    status=$(trackctl --json status 2>/dev/null) || true
    waiting=$(sed -n 's/.*"events_waiting": \([0-9]*\).*/\1/p' <<<"$status")
    host=$(sed -n 's/.*"host_id": "\([0-9a-f]*\)".*/\1/p' <<<"$status")
    [ "${waiting:-0}" = 0 ] || warn "$waiting records that were not uploaded yet go with it"
    act "remove trackerd, its configuration and its enrolment" apt purge trackerd
    [ -z "$host" ] || LEFT+=("what the server knows of this machine. If it is to come back, its token is made by
    trackerd-server enrollment create --host $host")
  fi
}
