package app

import (
	"log/slog"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notify reports to systemd, where that started the server, what the server
// does now (sd_notify(3)): a state such as READY=1, or none, and the line that
// systemctl status shows. Failing is logged: the server does its work all the
// same.
func Notify(log *slog.Logger, state, status string) {
	message := "STATUS=" + strings.ReplaceAll(status, "\n", "; ")
	if state != "" {
		message = state + "\n" + message
	}
	if _, err := daemon.SdNotify(false, message); err != nil {
		log.Warn("telling systemd how the server is", "error", err)
	}
}
