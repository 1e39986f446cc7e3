package app

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"os/user"
	"strconv"

	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/store/audit"
)

// NewLogger returns the log of a server.
func NewLogger(as config.Log, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: as.Level}
	if as.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// WhoAsks names the user who runs this, also through sudo.
func WhoAsks() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	me, err := user.Current()
	if err != nil {
		return fmt.Sprint(os.Getuid())
	}
	return cmp.Or(me.Username, me.Uid)
}

// Operator returns who runs a command, by the number of the user. Root may have become
// that by sudo, which names who asked.
func Operator() audit.Actor {
	uid := strconv.Itoa(os.Getuid())
	if asked := os.Getenv("SUDO_UID"); uid == "0" && asked != "" {
		uid = asked
	}
	a := audit.Actor{Kind: audit.Command, ID: uid}
	if known, err := user.LookupId(uid); err == nil {
		a.Name = known.Username
	}
	return a
}

// NewAudit returns a log of what administrators change, in the system's log, where who
// changed it stands; where there is none, as in a container, it is standard error, which
// is the log there.
func NewAudit(by string, stderr io.Writer) *slog.Logger {
	out := stderr
	if system, err := syslog.New(syslog.LOG_NOTICE|syslog.LOG_AUTH, "trackerd-server"); err == nil {
		// The command ends soon, and the connection with it.
		out = system
	}
	return slog.New(slog.NewTextHandler(out, nil)).With("by", by)
}
