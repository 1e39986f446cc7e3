#!/bin/sh
# Turns a fresh Debian tree ($1) into one that boots quietly. Runs once, from
# mmdebstrap, after the packages are installed and before the recipe's own script.
set -eu
root=$1

# Nothing starts by itself that a test did not ask for. Nothing here needs the
# network either.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
	e2scrub_all.timer fstrim.timer systemd-tmpfiles-clean.timer \
	e2scrub_reap.service systemd-networkd.service systemd-resolved.service \
	getty@tty1.service console-getty.service systemd-firstboot.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# Each boot gets an identity of its own.
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
ln -s /etc/machine-id "$root/var/lib/dbus/machine-id"
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/resolv.conf"
