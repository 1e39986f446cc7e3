#!/bin/sh
# Turns a Debian tree ($1) into the disk of a machine with a seat. Runs once,
# from mmdebstrap, after the packages are installed.
set -eu
root=$1

# What a virtual machine has no device for: a smaller disk is made faster.
for part in sound net/wireless net/bluetooth drivers/net drivers/media drivers/infiniband \
	drivers/gpu/drm/amd drivers/gpu/drm/i915 drivers/gpu/drm/nouveau drivers/gpu/drm/radeon; do
	rm -rf "$root"/lib/modules/*/kernel/"$part"
done

# The kernel's first file system has nothing but the way to the disk: with
# everything in it, unpacking alone takes longer than the rest of the boot.
kernel=$(basename "$root"/lib/modules/*)
printf 'MODULES=list\nCOMPRESS=lz4\nFSTYPE=ext4\n' >"$root/etc/initramfs-tools/conf.d/machine"
printf 'virtio_pci\nvirtio_blk\next4\n' >"$root/etc/initramfs-tools/modules"
chroot "$root" depmod "$kernel"
chroot "$root" update-initramfs -u -k "$kernel"
cp "$root/boot/vmlinuz-$kernel" "$root/boot/machine-kernel"
cp "$root/boot/initrd.img-$kernel" "$root/boot/machine-initrd"
echo '/dev/vda / ext4 rw,noatime 0 1' >"$root/etc/fstab"
echo machine >"$root/etc/hostname"
# An identity that holds from the first boot on: the disk is booted again.
chroot "$root" systemd-machine-id-setup

for unit in ssh.service ssh.socket systemd-timesyncd.service systemd-binfmt.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# Two people; the first is logged in when the machine is up. A name is the
# password as well: keys are typed at the greeter.
for user in alice bob; do
	chroot "$root" useradd --create-home --shell /bin/bash "$user"
	echo "$user:$user" | chroot "$root" chpasswd
done
mkdir -p "$root/etc/lightdm/lightdm.conf.d"
cat >"$root/etc/lightdm/lightdm.conf.d/machine.conf" <<'END'
[Seat:*]
autologin-user=alice
autologin-user-timeout=0
autologin-session=openbox
user-session=openbox
END
# Started by the window manager, the terminal gets the focus; before it, not.
cat >>"$root/etc/xdg/openbox/autostart" <<'END'
light-locker --no-lock-on-suspend --no-late-locking --no-lock-on-lid &
xterm -geometry 100x30+40+40 &
END
mkdir -p "$root/etc/sway/config.d"
echo 'exec foot' >"$root/etc/sway/config.d/machine.conf"
# Nothing here draws in three dimensions; in software it takes half a minute.
# Where a display manager starts the compositor, no shell reads a profile.
echo 'WLR_RENDERER=pixman' >>"$root/etc/environment"
mkdir -p "$root/etc/X11/xorg.conf.d"
# With a flat profile a step of the mouse is a pixel.
cat >"$root/etc/X11/xorg.conf.d/machine.conf" <<'END'
Section "Device"
	Identifier "screen"
	Driver "modesetting"
	Option "AccelMethod" "none"
EndSection
Section "Module"
	Disable "glx"
EndSection
Section "InputClass"
	Identifier "mouse"
	MatchIsPointer "on"
	Option "AccelProfile" "flat"
EndSection
END

# Commands from outside. No PAM: such a command is in no session of logind's.
# The port is a socket of the caller's; nobody else is at its other end.
chroot "$root" passwd --delete root
cat >"$root/etc/ssh/sshd_config.d/machine.conf" <<'END'
UsePAM no
PermitRootLogin yes
PermitEmptyPasswords yes
UseDNS no
END
cat >"$root/etc/systemd/system/control.service" <<'END'
[Unit]
Description=Commands from outside
DefaultDependencies=no
After=local-fs.target systemd-tmpfiles-setup.service
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/local/sbin/control
Restart=always
RestartSec=0
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes

[Install]
WantedBy=multi-user.target
END
ln -s ../control.service "$root/etc/systemd/system/multi-user.target.wants/control.service"
cat >"$root/usr/local/sbin/control" <<'END'
#!/bin/sh
# Serves one connection on the port. What an earlier one left unread comes first
# and is thrown away: a connection begins with a line of its own.
port=/dev/virtio-ports/control
until [ -c "$port" ]; do sleep 0.2; done
exec 3<>"$port"
echo "control: waiting" >/dev/console
until IFS= read -r line <&3 && [ "$line" = start ]; do
	# At the other end is nobody.
	[ -n "$line" ] || sleep 0.2
done
exec /usr/sbin/sshd -i <&3 >&3 3>&-
END
chmod 755 "$root/usr/local/sbin/control"
