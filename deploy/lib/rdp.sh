# shellcheck shell=bash
# shellcheck disable=SC2034 # other parts read what is set here
# A desktop that is reached over RDP: packages, xrdp's settings, people who may
# log in, and what their clients need to know.

readonly XRDP_INI=/etc/xrdp/xrdp.ini SESMAN_INI=/etc/xrdp/sesman.ini
readonly CERTIFICATE=/etc/xrdp/cert.pem
readonly RDP_PORT=3389
# Whoever is in this group may log in over RDP; the name is xrdp's own.
readonly RDP_GROUP=tsusers
# xauth, which xrdp does not depend on, keeps local users off each other's
# displays. openssl tells the certificate's fingerprint.
readonly RDP_PACKAGES=(xrdp xorgxrdp xauth dbus-x11 openssl)
# XFCE without what it only recommends: screen locker, power manager, network.
readonly DESKTOP_PACKAGES=(xfce4 xfce4-terminal mousepad fonts-dejavu-core)
# What these take on a bare system, in megabytes, with some room.
readonly RDP_SPACE=1500

# ini_get FILE SECTION KEY prints a value.
ini_get() {
  awk -v section="[$2]" -v key="$3" '
    /^\[/ { inside = ($1 == section) }
    inside && index($0, key "=") == 1 { print substr($0, length(key) + 2); exit }' "$1"
}

# ini_set FILE SECTION KEY VALUE changes one line, or adds it to the section.
ini_set() {
  local new=$1.new
  cp -p "$1" "$new" && awk -v section="[$2]" -v key="$3" -v value="$4" '
    /^\[/ { inside = ($1 == section) }
    inside && !done && index($0, key "=") == 1 { print key "=" value; done = 1; next }
    { print }
    # At the end of the section if it has no such line.
    ' "$1" >"$new" || return
  if [ "$(ini_get "$new" "$2" "$3")" != "$4" ]; then
    awk -v section="[$2]" -v line="$3=$4" '{ print } $1 == section { print line }' "$1" >"$new" || return
  fi
  mv "$new" "$1"
}

# ini_drop FILE SECTION… turns whole sections into comments.
ini_drop() {
  local file=$1 new=$1.new section
  shift
  for section in "$@"; do
    cp -p "$file" "$new" && awk -v section="[$section]" '
      /^\[/ { inside = ($1 == section) }
      inside && /^[^;#]/ { print "; " $0; next }
      { print }' "$file" >"$new" && mv "$new" "$file" || return
  done
}

# xrdp_was_here reports whether xrdp was in use before any script of ours.
xrdp_was_here() { installed xrdp && ! noted packages xrdp; }

# install_desktop installs what is missing of the desktop and xrdp. A desktop
# that is there already is kept.
install_desktop() {
  local wanted=("${RDP_PACKAGES[@]}") missing
  [ -e /etc/alternatives/x-session-manager ] || wanted+=("${DESKTOP_PACKAGES[@]}")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if [ ${#missing[@]} = 0 ]; then
    have "a desktop and xrdp are installed"
    return
  fi
  refresh_lists
  # Between its installation and its settings xrdp would let root log in.
  if ! installed xrdp && [ -z "$DRY_RUN" ]; then
    systemctl --quiet mask --runtime xrdp.service xrdp-sesman.service >>"$LOG" 2>&1
  fi
  install_packages "install ${missing[*]}" "${missing[@]}"
}

# start_rdp starts xrdp and waits until it listens.
start_rdp() {
  systemctl unmask --runtime xrdp.service xrdp-sesman.service &&
    systemctl daemon-reload &&
    systemctl enable xrdp.service xrdp-sesman.service &&
    systemctl "${1:-start}" xrdp.service || return
  local tries
  for tries in $(seq 100); do
    ! rdp_listens || return 0
    sleep 0.2
  done
  echo "xrdp does not listen on port $RDP_PORT after $tries tries"
  return 1
}

# rdp_listens looks at the kernel's own list, since ss may be missing.
rdp_listens() { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ':0D3D 0\+:0000 0A'; }

rdp_sessions() {
  local id n=0
  for id in $(loginctl list-sessions --no-legend 2>/dev/null | awk '{ print $1 }'); do
    case $(loginctl show-session "$id" -p Service -p Class --value 2>/dev/null | tr '\n' ' ') in
    *xrdp-sesman*) n=$((n + 1)) ;;
    esac
  done
  echo $n
}

# wanted_settings prints "FILE SECTION KEY VALUE" lines. What was not chosen is
# set only once, so that later changes by hand stay.
wanted_settings() {
  # shellcheck disable=SC2153 # set by options
  local clipboard=$CLIPBOARD drives=$DRIVES room=''
  if [ -n "$SETTINGS" ] || ! noted settings xrdp; then
    clipboard=${clipboard:-true} drives=${drives:-false}
    cat <<END
$XRDP_INI Globals security_layer tls
$XRDP_INI Globals ssl_protocols TLSv1.2, TLSv1.3
$XRDP_INI Globals crypt_level high
$SESMAN_INI Security AllowRootLogin false
$SESMAN_INI Security MaxLoginRetry 3
$SESMAN_INI Security TerminalServerUsers $RDP_GROUP
$SESMAN_INI Security AlwaysGroupCheck true
$SESMAN_INI Sessions KillDisconnected false
END
    room=$MAX_SESSIONS
  elif [ "$(ini_get $SESMAN_INI Sessions MaxSessions)" -lt "$MAX_SESSIONS" ] 2>/dev/null; then
    room=$MAX_SESSIONS # more people than last time
  fi
  if [ -n "$room" ]; then
    echo "$SESMAN_INI Sessions MaxSessions $room"
    # xrdp 0.10 also bounds the numbers of displays, which begin with 10.
    ! grep -q '^#MaxDisplayNumber' $SESMAN_INI 2>/dev/null || echo "$SESMAN_INI Sessions MaxDisplayNumber $((10 + room))"
  fi
  [ -z "$clipboard" ] || echo "$XRDP_INI Channels cliprdr $clipboard"
  [ -z "$drives" ] || echo "$XRDP_INI Channels rdpdr $drives"
}

# set_up_xrdp brings xrdp's settings, and has them take effect.
set_up_xrdp() {
  local lines action=start fresh=''
  if xrdp_was_here && [ -z "$SETTINGS" ] && ! noted settings xrdp; then
    old_xrdp
    return
  fi
  lines=$(wanted_settings | while read -r file section key value; do
    [ "$(ini_get "$file" "$section" "$key" 2>/dev/null)" = "$value" ] || echo "$file $section $key $value"
  done)
  if [ -n "$lines" ] || ! noted settings xrdp; then
    keep_originals
    act "$(describe_settings)" write_settings "$lines"
    ! systemctl -q is-active xrdp.service || action=restart
    fresh=yes
  else
    have "xrdp is set up"
  fi
  if [ -z "$fresh" ] && systemctl -q is-active xrdp.service && systemctl -q is-enabled xrdp.service && rdp_listens; then
    have "xrdp is running"
  elif [ $action = restart ] && [ "$(rdp_sessions)" != 0 ]; then
    warn "$(rdp_sessions) people are logged in over RDP, so xrdp was not restarted: 'systemctl restart xrdp' when nobody is makes the settings take effect"
  else
    act "$action xrdp" start_rdp $action
  fi
}

# old_xrdp leaves an xrdp alone that somebody set up before, and says what is
# risky there.
old_xrdp() {
  have "xrdp was here before: its settings stay (--settings changes them)"
  [ "$(ini_get $SESMAN_INI Security AllowRootLogin)" = false ] || warn "root may log in over RDP: AllowRootLogin in $SESMAN_INI"
  [ "$(ini_get $XRDP_INI Globals security_layer)" = tls ] || warn "connections without TLS are possible: security_layer in $XRDP_INI"
  installed xauth || warn "without the package xauth every local user can open every display"
}

describe_settings() {
  local shared=()
  noted settings xrdp && [ -z "$SETTINGS" ] || shared+=("TLS only" "no root" "members of $RDP_GROUP only" "at most $MAX_SESSIONS sessions")
  [ "${CLIPBOARD:-true}" = true ] && shared+=("clipboard on") || shared+=("clipboard off")
  [ "${DRIVES:-false}" = true ] && shared+=("clients' drives on") || shared+=("clients' drives off")
  local text
  text=$(printf '%s, ' "${shared[@]}")
  echo "set up xrdp: ${text%, }"
}

# keep_originals copies the settings of an xrdp that was here before.
keep_originals() {
  [ -z "$DRY_RUN" ] && xrdp_was_here && ! [ -d "$NOTES/xrdp" ] || return 0
  install -d -m 700 "$NOTES" "$NOTES/xrdp"
  cp -p $XRDP_INI $SESMAN_INI "$NOTES/xrdp/"
}

write_settings() {
  local file section key value
  while read -r file section key value; do
    [ -z "$file" ] || ini_set "$file" "$section" "$key" "$value" || return
    echo "$file: [$section] $key=$value"
  done <<<"$1"
  if ! noted settings xrdp; then
    # Proxies to other machines, and a session type whose program is missing,
    # are no choices for people.
    ini_drop $XRDP_INI vnc-any neutrinordp-any || return
    command -v Xvnc >/dev/null || ini_drop $XRDP_INI Xvnc || return
    # xrdp has to read the certificate's key.
    ! getent group ssl-cert >/dev/null || usermod -aG ssl-cert xrdp || return
    getent group $RDP_GROUP >/dev/null || { groupadd --system $RDP_GROUP && note groups $RDP_GROUP; } || return
    # Redrawing shadows costs RDP more than it pleases.
    quiet_xfce || return
  fi
  note settings xrdp
}

# quiet_xfce turns compositing off for everybody who has not chosen.
quiet_xfce() {
  local file=/etc/xdg/xfce4/xfconf/xfce-perchannel-xml/xfwm4.xml
  [ -d /etc/xdg/xfce4 ] && [ ! -e $file ] || return 0
  install -d "${file%/*}" && cat >$file <<'END' && note files $file
<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfwm4" version="1.0">
  <property name="general" type="empty">
    <property name="use_compositing" type="bool" value="false"/>
  </property>
</channel>
END
}

# rdp_group prints the group that xrdp lets in, or nothing if it lets in all.
rdp_group() {
  if [ -n "$DRY_RUN" ] && ! installed xrdp; then
    echo $RDP_GROUP
  elif [ "$(ini_get $SESMAN_INI Security AlwaysGroupCheck)" = true ]; then
    ini_get $SESMAN_INI Security TerminalServerUsers
  fi
}

# check_name refuses what useradd would, and more.
check_name() { [[ $1 =~ ^[a-z][a-z0-9_-]{0,30}$ ]]; }

# check_account refuses accounts that exist and are no person's.
check_account() {
  local uid
  uid=$(id -u "$1" 2>/dev/null) || return 0
  is_person "$uid" || fail "'$1' is an account of the system, and cannot be a person's"
}

# add_people NAME… makes accounts that do not exist yet, and lets all in over
# RDP. The passwords of new ones wait in a file for root alone, so that none is
# lost where the script is interrupted.
add_people() {
  local name made=() old=() outside=() group
  for name in "$@"; do
    if id "$name" >/dev/null 2>&1; then old+=("$name"); else made+=("$name"); fi
  done
  [ ${#old[@]} = 0 ] || have "${old[*]}: exist already, and keep their passwords"
  [ ${#made[@]} = 0 ] || act "make accounts with passwords for ${made[*]}" make_people "${made[@]}"
  group=$(rdp_group)
  [ -n "$group" ] || return 0
  for name in "$@"; do
    id -nG "$name" 2>/dev/null | tr ' ' '\n' | grep -qx "$group" || outside+=("$name")
  done
  [ ${#outside[@]} = 0 ] || act "let ${outside[*]} log in over RDP (group $group)" join_group "$group" "${outside[@]}"
}

make_people() {
  local name secret
  for name in "$@"; do
    secret=$(new_password) && keep_password "$name $secret" &&
      useradd --create-home --key HOME_MODE=0700 --shell /bin/bash "$name" && note users "$name" &&
      printf '%s:%s\n' "$name" "$secret" | chpasswd || return
    echo "made $name"
  done
}

# keep_password adds a line to the passwords that nobody has been shown yet. No
# other program gets it as an argument.
keep_password() {
  install -d -m 700 "$NOTES" && (umask 077 && printf '%s\n' "$1" >>"$NOTES/passwords")
}

join_group() {
  local group=$1 name
  shift
  for name in "$@"; do usermod -aG "$group" "$name" || return; done
}

# new_password prints 16 characters in four groups, without those that look
# alike: 78 bits.
new_password() {
  local chars=''
  while [ ${#chars} -lt 16 ]; do
    chars=$chars$(head -c 256 /dev/urandom | LC_ALL=C tr -dc 'a-km-np-z2-9')
  done
  echo "${chars:0:4}-${chars:4:4}-${chars:8:4}-${chars:12:4}"
}

check_passwords_file() {
  [ -z "$PASSWORDS_FILE" ] || [ -d "$(dirname "$PASSWORDS_FILE")" ] || fail "there is no folder for $PASSWORDS_FILE"
  roots_alone "$PASSWORDS_FILE" || fail "$PASSWORDS_FILE is another user's, or no file: remove it, or name another"
}

# roots_alone FILE reports whether it is not there, or a file of root's with no
# second name: whoever else owned it could read what is added.
roots_alone() {
  [ -e "$1" ] || [ -L "$1" ] || return 0
  [ "$(stat -c '%F %u %h' "$1")" = "regular file 0 1" ] || [ "$(stat -c '%F %u %h' "$1")" = "regular empty file 0 1" ]
}

# tell_passwords NAME… shows new passwords once, or moves them into a file, and
# says which of the accounts have none.
tell_passwords() {
  local pending=$NOTES/passwords name
  for name in "$@"; do
    case $(passwd -S "$name" 2>/dev/null) in
    "$name L "* | "$name NP "*) say "   $name has none, so cannot log in over RDP: passwd $name" ;;
    esac
  done
  if [ ! -s "$pending" ]; then
    say "   Nobody is new; all keep theirs."
  elif [ -n "$PASSWORDS_FILE" ]; then
    roots_alone "$PASSWORDS_FILE" || fail "$PASSWORDS_FILE has become another user's; the new passwords are in $pending"
    (umask 077 && : >>"$PASSWORDS_FILE" && chmod 600 "$PASSWORDS_FILE" && cat "$pending" >>"$PASSWORDS_FILE")
    rm -f "$pending"
    say "   They are in $PASSWORDS_FILE, which only root can read."
  else
    say "   They are shown this once, and stand in no file:"
    say ''
    awk '{ printf "     %-16s %s\n", $1, $2 }' "$pending"
    say ''
    rm -f "$pending"
  fi
}

# address prints how clients reach this machine.
address() {
  local name
  if [ -n "$ADDRESS" ]; then
    echo "$ADDRESS"
    return
  fi
  # The address from which it would speak to the Internet; nothing is sent.
  name=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  [ -n "$name" ] || name=$(hostname -I 2>/dev/null | awk '{ print $1 }')
  echo "${name:-$(hostname)}"
}

# private_address reports whether only a local network knows such an address.
private_address() { [[ $1 =~ ^(10|192\.168|172\.(1[6-9]|2[0-9]|3[01])|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))\. ]]; }

# fingerprint prints the certificate's fingerprint as clients show it.
fingerprint() { openssl x509 -in "$CERTIFICATE" -noout -fingerprint "-$1" 2>/dev/null | sed 's/.*=//'; }

# write_rdp_file makes RDP_FILE, which Windows and Macs open.
write_rdp_file() {
  if [ -e "$RDP_FILE" ] && rdp_file | cmp -s - "$RDP_FILE"; then
    have "$RDP_FILE is written"
  else
    act "write $RDP_FILE, which opens this machine on Windows and Macs" save_rdp_file
  fi
}

save_rdp_file() { rdp_file >"$RDP_FILE"; }

rdp_file() {
  local clipboard=1 drives=''
  [ "$(ini_get $XRDP_INI Channels cliprdr)" != false ] || clipboard=0
  [ "$(ini_get $XRDP_INI Channels rdpdr)" = false ] || drives='*'
  sed 's/$/\r/' <<END
full address:s:$(address)
prompt for credentials:i:1
authentication level:i:2
enablecredsspsupport:i:0
screen mode id:i:2
smart sizing:i:1
dynamic resolution:i:1
use multimon:i:0
session bpp:i:32
compression:i:1
autoreconnection enabled:i:1
audiomode:i:2
redirectclipboard:i:$clipboard
drivestoredirect:s:$drives
redirectprinters:i:0
redirectsmartcards:i:0
END
}

# point begins the next of the things to do.
point() {
  NUMBER=$((NUMBER + 1))
  say "$NUMBER. $1"
}
NUMBER=0

# have_browser reports whether any browser is installed; the light desktop has none.
have_browser() { [ -e /etc/alternatives/x-www-browser ]; }

# rdp_steps NAME… is what to do until people are logged in.
rdp_steps() {
  point "Give people their passwords."
  tell_passwords "$@"
  have_browser || point "Bring the programs that people need, such as: apt install firefox-esr"
  point "Let TCP port $RDP_PORT in."
  firewall_notice
  point "People connect to $(address), each with their own name."
  [ -n "$ADDRESS" ] || ! private_address "$(address)" ||
    say "   That is an address of a private network: --address NAME if they come from outside."
  say "   Windows and Mac: send them $RDP_FILE"
  say "   Linux:           xfreerdp /v:$(address) /u:$1"
  say "   Their computer asks once whether to trust this machine's certificate. It is the"
  say "   right one if it shows this fingerprint:"
  say ''
  say "     SHA-256  $(fingerprint sha256 | cut -c 1-48)"
  say "              $(fingerprint sha256 | cut -c 49-)"
  say "     SHA-1    $(fingerprint sha1)"
  say ''
  say "   More for people: $HERE/guides"
}

# firewall_notice says what is known of the firewall, which no script changes.
firewall_notice() {
  local ufw
  ufw=$(command -v ufw >/dev/null && ufw status 2>/dev/null | head -n 1) || true
  case $ufw in
  *inactive* | '') ;;
  *)
    say "   ufw is active here. To let your office in:"
    say "     ufw allow from 198.51.100.0/24 to any port $RDP_PORT proto tcp"
    return
    ;;
  esac
  if systemctl -q is-active firewalld 2>/dev/null; then
    say "   firewalld is active here. To let people in:"
    say "     firewall-cmd --permanent --add-port=$RDP_PORT/tcp && firewall-cmd --reload"
  elif systemctl -q is-active nftables 2>/dev/null; then
    say "   nftables is active here: let TCP port $RDP_PORT in, best from your office alone."
  else
    say "   No firewall was found here, so the whole Internet can try passwords on port"
    say "   $RDP_PORT. Let only your office's addresses or a VPN in, here or at your provider."
  fi
}

# remove_rdp takes back the settings of an xrdp that was here before.
remove_rdp() {
  if [ -d "$NOTES/xrdp" ]; then
    act "bring back xrdp's settings as they were" cp -p "$NOTES/xrdp/xrdp.ini" "$NOTES/xrdp/sesman.ini" /etc/xrdp/
    [ "$(rdp_sessions)" = 0 ] || warn "they take effect with 'systemctl restart xrdp', when nobody is logged in"
  fi
}

# remove_people takes accounts away only where that was asked for by name.
remove_people() {
  local users name
  mapfile -t users < <(notes users | while read -r name; do ! id "$name" >/dev/null 2>&1 || echo "$name"; done)
  if [ ${#users[@]} = 0 ]; then
    have "no account was made here"
  elif [ -z "$DELETE_USERS" ]; then
    have "${users[*]} stay, with their homes (--delete-users takes both away)"
  else
    act "delete ${users[*]} and their homes" delete_people "${users[@]}"
  fi
}

delete_people() {
  local name
  for name in "$@"; do
    loginctl terminate-user "$name" 2>/dev/null || true
    pkill -KILL -u "$name" || true
    userdel --force --remove "$name" || return
  done
}
