# Becomes the RDP client. Arguments: the program, xfreerdp of version 2 or
# xfreerdp3, the host's address, the user, the size of the desktop, and what is
# to draw the session, which xrdp reads from the domain. The password comes from
# standard input. Runs in a mount namespace of its own.
set -eu
# xfreerdp leaves a semaphore there each time.
mount -t tmpfs -o size=1m tmpfs /dev/shm
exec "$1" "/v:$2" "/u:$3" "/d:$5" "/size:$4" /from-stdin:force \
	/cert:ignore /log-level:WARN -decorations /window-position:0x0 \
	-grab-keyboard -clipboard /network:lan
