// Package helper runs one sandboxed helper for each tracked source of a session
// (sessiond, sessiond-wayland or seatinput): it starts the unit, reads its
// socket, and starts it again when it dies.
//
// # Who lives how long
//
// A helper outlives the daemon: its socket's other end lies in systemd's
// descriptor store under the session's key, so that a daemon that was
// restarted, upgraded or killed reads on where the last one stopped. Hence the
// end of Run stops nothing. What ends a helper is its X server, its session
// leaving the list, or the loss of the store (systemctl stop trackerd): it
// reads the end of its standard input then.
//
// # Never two of one session
//
// A unit's name comes from logind's session id, which is used again after
// logind restarts; a socket's name from the whole key. One keeper has a unit
// name at a time, and it stops the unit before each start:
//
//	stored socket, unit runs as wanted        read on
//	stored socket, unit runs another command  let it end, read the rest, start
//	stored socket, no unit                    read the rest, start
//	no stored socket, unit is there           stop it, start
//
// A stored socket is read at once, but a helper is started only for a session
// that logind has named. A session that is unknown to logind and to the buffer
// cannot be accounted for: its socket is closed, loudly.
//
// # Who is believed
//
// The helper runs as the user, who may replace what it sends: about themselves,
// since nobody else holds its socket. So every message is checked and bounded,
// and a helper that floods, sends nonsense or falls silent is replaced after a
// growing wait.
package helper
