# Removes a test host when its caller is done with it or gone. Arguments: the
# host's folder, and for how many seconds it may live; no time at all cleans up
# at once. Standard input is a pipe that only the caller holds open.
# Descriptor 3 keeps the folder's lock, so that no sweep takes it for an orphan.
set -u
dir=$1
max=$2

if [ "$max" -gt 0 ]; then
	timeout "$max" cat >/dev/null
fi

# The file is written before the cgroup is made; without it there is nothing.
if cgroup=$(cat "$dir/cgroup" 2>/dev/null) && [ -d "$cgroup" ]; then
	echo 1 >"$cgroup/cgroup.kill"
	tries=200
	while grep -q 'populated 1' "$cgroup/cgroup.events"; do
		tries=$((tries - 1))
		if [ "$tries" -le 0 ]; then
			echo "processes of $cgroup do not end" >&2
			exit 1
		fi
		sleep 0.05
	done
	find "$cgroup" -depth -type d -exec rmdir {} + || exit 1
fi
# Its mounts were in a namespace of its own, so this folder holds plain files.
rm -rf --one-file-system "$dir"
