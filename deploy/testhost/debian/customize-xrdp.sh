#!/bin/sh
# Makes a fresh Debian tree ($1) with xrdp and openbox into an RDP host for tests.
set -eu
root=$1

# Without the group, xrdp cannot read its key, and freerdp fails with
# "MAC checksum error".
chroot "$root" usermod -aG ssl-cert xrdp

# A desktop of one window manager and one terminal, which Debian's own session
# scripts start: openbox-session is their choice here. Started by the window
# manager, the terminal gets the focus; before it, not. The session is over when
# the window manager exits.
cat >>"$root/etc/xdg/openbox/autostart" <<'AUTOSTART'
xterm -geometry 100x30+40+40 &
AUTOSTART

# The cluster that Debian's PostgreSQL made of itself is there, and starts where
# a test asks for it.
echo manual >"$(echo "$root"/etc/postgresql/*/main/start.conf)"
