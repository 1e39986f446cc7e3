# Boots a copy of this machine, as it is, under systemd. Runs in a mount
# namespace and a cgroup of its own. Argument: a folder.
set -eu
dir=$1
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "$dir/ram" "$dir/root"
mount -t tmpfs -o size=4G,mode=755 tmpfs "$dir/ram"
mkdir "$dir/ram/upper" "$dir/ram/work"
mount -t overlay -o "lowerdir=/,upperdir=$dir/ram/upper,workdir=$dir/ram/work" overlay "$dir/root"
# An identity of its own, and none of this machine's services.
: >"$dir/root/etc/machine-id"
rm -rf "$dir/root/etc/systemd/system/multi-user.target.wants" "$dir/root/etc/systemd/system/timers.target.wants"
for unit in postgresql.service cron.service systemd-networkd.service networking.service; do
	ln -sf /dev/null "$dir/root/etc/systemd/system/$unit"
done
exec systemd-nspawn --quiet --boot --register=no --keep-unit --directory="$dir/root" \
	--machine=machine --hostname=machine --private-network --console=pipe \
	--kill-signal=SIGRTMIN+4 --link-journal=no --resolv-conf=off --timezone=off \
	--capability=all --system-call-filter="bpf keyctl add_key @mount @privileged @resources"
