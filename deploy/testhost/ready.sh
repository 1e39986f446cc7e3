# Waits until a user's desktop can be used and prints the session's id, display
# and leader. Arguments: the user, how many times to look, the display of another
# session of theirs, or nothing, and what makes the desktop usable: "focused" or
# "shown". Runs on the host, after connected.sh. Prints to standard error what it
# still waits for.
set -u
user=$1
tries=$2
other=$3
usable=$4

# newest_session sets id, display and leader of the user's newest live session.
newest_session() {
	newest=-1
	for s in $(loginctl list-sessions --no-legend | awk -v u="$user" '$3 == u { print $1 }'); do
		Display='' Leader='' State='' Service='' TimestampMonotonic=0
		eval "$(loginctl show-session "$s" -p Display -p Leader -p State -p Service -p TimestampMonotonic)"
		case $State,$Service in
		active,xrdp-sesman) ;;
		*) continue ;;
		esac
		if [ "$TimestampMonotonic" -gt "$newest" ]; then
			newest=$TimestampMonotonic id=$s display=$Display leader=$Leader
		fi
	done
	[ "$newest" -ge 0 ] && [ -n "$display" ] && [ "$display" != "$other" ]
}

as_user() {
	setpriv --reuid="$user" --regid="$user" --init-groups \
		env DISPLAY="$display" HOME="/home/$user" "$@" 2>/dev/null
}

# focused reports whether the window manager names a window in front.
focused() {
	as_user xprop -root _NET_ACTIVE_WINDOW | grep -q '# 0x[1-9a-f]'
}

# shown reports whether a terminal can be seen, whoever put it there.
shown() {
	terminal=$(as_user xwininfo -root -tree | awk '/\("xterm" "XTerm"\)/ { print $1; exit }')
	[ -n "$terminal" ] && as_user xwininfo -id "$terminal" | grep -q 'Map State: IsViewable'
}

while :; do
	if ! newest_session; then
		missing="no active session of $user"
	elif ! connected "$display"; then
		missing="no client on display $display"
	elif ! "$usable"; then
		missing="no $usable window on display $display"
	else
		echo "$id $display $leader"
		exit 0
	fi
	tries=$((tries - 1))
	if [ "$tries" -le 0 ]; then
		echo "$missing" >&2
		exit 1
	fi
	sleep 0.05
done
