#!/bin/bash
# Runs podman as an engine that speaks Docker's API on $1/engine.sock. It is
# started in namespaces of its own (mounts, processes, network), so that all it
# does ends with it. $1 is a folder of its own, where everything lies that podman
# keeps.
set -euo pipefail
dir=$1

mount --make-rprivate /
mount -t proc proc /proc
# A mixed hierarchy of cgroups is not what podman expects.
if mountpoint -q /sys/fs/cgroup; then umount -R /sys/fs/cgroup; fi
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# netavark, aardvark-dns and crun keep their state there.
mount -t tmpfs -o mode=0755 tmpfs /run
ip link set lo up

mkdir -p "$dir"/{root,run,tmp,networks,bin}
# Containers get no cgroup: the machine's controllers may sit in version 1. crun
# is told so here for builds, which know no such setting. Nor may their limits be
# beyond those of this shell, which may lack the right to raise them.
cat >"$dir/bin/crun" <<'END'
#!/bin/sh
exec /usr/bin/crun --cgroup-manager=disabled "$@"
END
chmod 755 "$dir/bin/crun"
nofile=$(ulimit -Hn) nproc=$(ulimit -Hu)
[ "$nproc" != unlimited ] || nproc=-1
cat >"$dir/containers.conf" <<END
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=$nofile:$nofile", "nproc=$nproc:$nproc"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[engine.runtimes]
crun = ["$dir/bin/crun"]
[network]
network_backend = "netavark"
network_config_dir = "$dir/networks"
END
cat >"$dir/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$dir/root"
runroot = "$dir/run"
END
# A short name is Docker's, as there.
cat >"$dir/registries.conf" <<END
unqualified-search-registries = ["docker.io"]
short-name-mode = "disabled"
END
export CONTAINERS_CONF=$dir/containers.conf CONTAINERS_STORAGE_CONF=$dir/storage.conf
export CONTAINERS_REGISTRIES_CONF=$dir/registries.conf TMPDIR=$dir/tmp
# podman's health checks are timers of systemd, which need not be there.
export DISABLE_HC_SYSTEMD=true
export NETAVARK_FW=iptables
# Not in place of this shell, whose namespaces tests enter: podman leaves its own
# first thread in a network of some container's at times.
podman system service --time=0 "unix://$dir/engine.sock"
