# Becomes systemd-nspawn on a writable copy of the base tree. Runs in a mount
# namespace and a cgroup of its own. Arguments: the host's folder, the base
# tree, the size of the copy's memory, the network namespace, the hostname,
# and further nspawn options.
set -eu
dir=$1 base=$2 size=$3 netns=$4 hostname=$5
shift 5

# nspawn shows its guest what it sees here: pure cgroup v2, also where the
# machine has both versions.
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup

# nspawn that is killed leaves a lock and a folder there.
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o size=1m,mode=755 tmpfs /run/systemd/nspawn

mkdir -p "$dir/ram" "$dir/root"
mount -t tmpfs -o "size=$size,mode=755" tmpfs "$dir/ram"
mkdir "$dir/ram/upper" "$dir/ram/work"
mount -t overlay -o "lowerdir=$base,upperdir=$dir/ram/upper,workdir=$dir/ram/work" overlay "$dir/root"

# bpf makes IPAddressDeny= work in the guest: without it, it is silently
# ignored. By Landlock helpers give up files. The descriptor is the namespace only
# while this script runs.
exec systemd-nspawn --quiet --boot --register=no --keep-unit \
	--directory="$dir/root" --machine="$hostname" --hostname="$hostname" \
	--network-namespace-path="$netns" \
	--console=pipe --kill-signal=SIGRTMIN+4 --link-journal=no \
	--resolv-conf=off --timezone=off \
	--system-call-filter="bpf keyctl add_key landlock_create_ruleset landlock_add_rule landlock_restrict_self" \
	--capability=CAP_BPF,CAP_PERFMON,CAP_SYSLOG,CAP_IPC_LOCK "$@"
