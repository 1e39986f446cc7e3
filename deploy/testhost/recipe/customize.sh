#!/bin/sh
# Turns a fresh Debian tree ($1) into the base of all test hosts. Runs once,
# from mmdebstrap, after the packages are installed.
set -eu
root=$1

# Without the group, xrdp cannot read its key, and freerdp2 fails with
# "MAC checksum error".
chroot "$root" usermod -aG ssl-cert xrdp

# A desktop of one window manager and one terminal, which Debian's own session
# scripts start: openbox-session is their choice here. Started by the window
# manager, the terminal gets the focus; before it, not. The session is over when
# the window manager exits.
cat >>"$root/etc/xdg/openbox/autostart" <<'EOF'
xterm -geometry 100x30+40+40 &
EOF

# Nothing starts by itself that a test did not ask for. Nothing here needs the
# network either.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
	e2scrub_all.timer fstrim.timer systemd-tmpfiles-clean.timer \
	e2scrub_reap.service systemd-networkd.service systemd-resolved.service \
	getty@tty1.service console-getty.service systemd-firstboot.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# The cluster that Debian's PostgreSQL made of itself is there, and starts where
# a test says so.
echo manual >"$(echo "$root"/etc/postgresql/*/main/start.conf)"

# Each boot gets an identity of its own.
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
ln -s /etc/machine-id "$root/var/lib/dbus/machine-id"
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/resolv.conf"
