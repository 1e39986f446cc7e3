# shellcheck shell=bash
# shellcheck disable=SC2034 # other parts read what is set here
# A virtual display (TigerVNC, x2go, NoMachine) on a machine with one person.

# virtual_users prints the accounts of people who have a virtual display now.
virtual_users() {
  local dir comm uid parent
  for dir in /proc/[0-9]*; do
    { read -r comm <"$dir/comm"; } 2>/dev/null || continue
    case $comm in
    Xvnc | Xtigervnc | Xtightvnc | nxagent | x2goagent | nxnode.bin) ;;
    *) continue ;;
    esac
    uid=$(stat -c %u "$dir" 2>/dev/null) || continue
    is_person "$uid" || continue
    # One that xrdp started is an RDP session, and measured anyway.
    parent=$(awk '/^PPid:/ { print $2 }' "$dir/status" 2>/dev/null) || continue
    ! grep -q '^xrdp-ses' "/proc/$parent/comm" 2>/dev/null || continue
    id -nu "$uid" 2>/dev/null || true
  done | sort -u
}

# check_virtual refuses before anything is changed.
check_virtual() {
  [ -n "$VIRTUAL_USER" ] || return 0
  local uid
  uid=$(id -u "$VIRTUAL_USER" 2>/dev/null) || fail "there is no user '$VIRTUAL_USER' here"
  is_person "$uid" || fail "'$VIRTUAL_USER' is an account of the system; the virtual display of a person is measured, and only that"
  ! grep -qE '^(sessions|virtual_user):[[:space:]]*(#.*)?$' "$CONFIG" 2>/dev/null ||
    fail "$CONFIG has 'sessions' or 'virtual_user' over several lines; write there by hand: $(virtual_lines | tr '\n' ';')"
}

virtual_lines() {
  local kinds
  kinds=$(sed -n 's/^sessions:[[:space:]]*\[\(.*\)\].*/\1/p' "$CONFIG" 2>/dev/null)
  kinds=${kinds:-rdp, local}
  [[ $kinds == *virtual* ]] || kinds="$kinds, virtual"
  printf 'sessions: [%s]\nvirtual_user: "%s"\n' "$kinds" "$VIRTUAL_USER"
}

# measure_virtual has trackerd measure the virtual display of VIRTUAL_USER.
measure_virtual() {
  local lines
  lines=$(virtual_lines)
  if [ "$(grep -cxF -e "${lines%%$'\n'*}" -e "${lines#*$'\n'}" "$CONFIG" 2>/dev/null)" = 2 ]; then
    have "the virtual display of $VIRTUAL_USER is measured"
    return
  fi
  act "have the virtual display of $VIRTUAL_USER measured ($CONFIG)" write_virtual "$lines"
}

# write_virtual LINES writes them in place of such lines, and takes that back if
# trackerd does not accept them.
write_virtual() {
  local before
  before=$(mktemp) && cp -p "$CONFIG" "$before" || return
  {
    sed '/^\(sessions\|virtual_user\):/d' "$before"
    printf '%s\n' "$1"
  } >"$CONFIG" || return
  if trackerd check-config && systemctl restart trackerd.service; then
    rm -f "$before"
    return
  fi
  cp -p "$before" "$CONFIG"
  rm -f "$before"
  echo "$CONFIG is as it was; this version of trackerd may be older than virtual displays"
  return 1
}
