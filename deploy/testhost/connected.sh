# shellcheck shell=sh
# connected reports whether xrdp is connected with a display such as :10, as it
# is while a client is: at the display's socket, which since xrdp 0.10 lies in a
# folder of the user's own, or at the port of Xvnc.
connected() {
	number=${1#:}
	awk -v "name=xrdp_display_$number" \
		'$6 == "03" && $8 ~ "^/run/xrdp/sockdir/([0-9]+/)?" name "$" { found = 1 } END { exit !found }' /proc/net/unix ||
		awk -v "port=$(printf ':%04X' $((5900 + number)))" \
			'$2 ~ port "$" && $4 == "01" { found = 1 } END { exit !found }' /proc/net/tcp /proc/net/tcp6
}
