package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"activity-tracker.example/server/internal/backup"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/localpg"
	"activity-tracker.example/server/internal/store/db"
)

// makeDatabase is the package's program that makes the service's database.
const makeDatabase = "/usr/libexec/trackerd-server/make-database"

// AdvisedError is one with what to do about it.
type AdvisedError struct {
	Err    error
	Advice string
}

// Error returns both.
func (e AdvisedError) Error() string { return joined(e.Err.Error(), e.Advice) }

// Unwrap returns what is wrong.
func (e AdvisedError) Unwrap() error { return e.Err }

// Explain adds to an error what to do about it, where that depends on the settings.
func Explain(c config.Config, err error) error {
	switch {
	case c.Service && errors.Is(err, db.ErrNoAccess):
		return AdvisedError{err, "DATABASE_URL in " + config.ServiceEnvFile + " says which; root's " + makeDatabase + " makes the one that the package comes with"}
	case errors.Is(err, db.ErrNoAccess) && c.Database.URL != "" && onThisMachine(c.Database.URL):
		return AdvisedError{err, "over a socket PostgreSQL may go by who asks: run this as the user that the URL names, by runuser -u NAME"}
	case c.Service && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (this works as the user %s, also for root; the shell opens any file: "+
			"trackerd-server backup - >FILE, trackerd-server restore --overwrite - <FILE)", err, config.ServiceUser)
	case errors.Is(err, db.ErrUnavailable) && advice(c, err) != "":
		return AdvisedError{err, advice(c, err)}
	default:
		return err
	}
}

// joined adds what to do, where there is something.
func joined(text, advice string) string {
	if advice == "" {
		return text
	}
	return text + " (" + advice + ")"
}

// advice is what to do about a database that does not answer; nothing where the
// error has it, or the server sees to it.
func advice(c config.Config, err error) string {
	if c.Database.URL == "" || !errors.Is(err, db.ErrUnavailable) || errors.As(err, new(db.OlderSchemaError)) {
		return ""
	}
	where := "DATABASE_URL"
	if c.Service {
		where += " in " + config.ServiceEnvFile
	}
	switch {
	case !onThisMachine(c.Database.URL):
		return "see that the PostgreSQL that " + where + " names runs and can be reached"
	case !localpg.Installed():
		return "apt install postgresql, or name another in " + where
	}
	return "systemctl start postgresql, or name another in " + where
}

// onThisMachine reports whether a database URL leads to this machine, by a socket, which
// is usual where no host is named, or by the loopback interface.
func onThisMachine(databaseURL string) bool {
	variables, err := backup.Environment(databaseURL)
	if err != nil {
		return false
	}
	host := ""
	for _, v := range variables {
		if named, ok := strings.CutPrefix(v, "PGHOST="); ok {
			host = named
		}
	}
	ip := net.ParseIP(host)
	return host == "" || strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}
