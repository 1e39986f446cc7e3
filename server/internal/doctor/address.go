package doctor

import (
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/sys/unix"

	"activity-tracker.example/server/api"
)

// Address checks what was answered about being ready where the server is to listen,
// the package's service or another: the status, and the code of a refusal; err is why
// nothing answered.
func Address(addr string, status int, code api.Code, err error, service bool) api.Check {
	const name = "server"
	switch {
	case err == nil && status == http.StatusOK:
		return ok(name, "ready on %s", addr)
	case err == nil && status == http.StatusServiceUnavailable && code == api.CodeStopping:
		return warning(name, "runs on "+addr+" and was told to stop", "it ends by itself, after --shutdown-delay")
	case err == nil && status == http.StatusServiceUnavailable:
		return failed(name, "runs on "+addr+" without its database", "its log says why; other checks may, too")
	case err == nil:
		return failed(name, fmt.Sprintf("something else answers on %s (status %d)", addr, status),
			"stop it, or let the server listen elsewhere: --listen")
	case errors.Is(err, unix.ECONNREFUSED) && service:
		return warning(name, "nothing listens on "+addr,
			"systemctl status trackerd-server says why; after a change: systemctl restart trackerd-server")
	case errors.Is(err, unix.ECONNREFUSED):
		return warning(name, "nothing listens on "+addr, "start it, if it is to run here: trackerd-server serve")
	}
	return failed(name, err.Error(), "see what listens there: ss -ltnp")
}
