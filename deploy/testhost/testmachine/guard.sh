# Runs a command until standard input ends, which only the caller holds open, or
# the time is over. Arguments: a folder to remove at the end, or nothing; how
# many seconds the command may live; the command.
set -u
dir=$1 max=$2
shift 2

setpriv --pdeathsig KILL -- "$@" </dev/null &
child=$!
timeout "$max" cat >/dev/null
# Until it is waited for, the number belongs to nobody else.
kill -KILL "$child" 2>/dev/null
wait "$child"
[ -z "$dir" ] || rm -rf --one-file-system "$dir"
