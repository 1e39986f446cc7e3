package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/cli/console"
)

// complain prints why a command failed, for systemd as well: systemctl status shows no
// log of a start that failed while the next one is waited for.
func complain(err error, stderr io.Writer) {
	if err == nil || errors.As(err, new(console.FoundError)) {
		return
	}
	_, _ = fmt.Fprintln(stderr, "trackerd-server:", err)
	app.Notify(slog.New(slog.DiscardHandler), "", "failed: "+err.Error())
}
