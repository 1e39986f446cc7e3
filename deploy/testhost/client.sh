# Becomes the RDP client. Arguments: the host's address, the user, and the size
# of the desktop. The password comes from standard input. Runs in a mount
# namespace of its own.
set -eu
# xfreerdp leaves a semaphore there each time.
mount -t tmpfs -o size=1m tmpfs /dev/shm
exec xfreerdp "/v:$1" "/u:$2" /d: "/size:$3" /from-stdin:force \
	/cert:ignore /log-level:WARN -decorations /window-position:0x0 \
	-grab-keyboard -clipboard /network:lan
