package config

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// The package's: the configuration of the service, and who it runs as.
const (
	ServiceEnvFile = "/etc/trackerd-server/server.env"
	ServiceUser    = "trackerd-server"
)

// becomeService makes root the service's user, for good: PostgreSQL knows the
// service by its user, and nothing here needs root.
func becomeService() error {
	u, err := user.Lookup(ServiceUser)
	if errors.As(err, new(user.UnknownUserError)) {
		return nil
	}
	fail := func(err error) error { return fmt.Errorf("going on as the user %s: %w", ServiceUser, err) }
	if err != nil {
		return fail(err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return fail(err)
	}
	var ids []int
	for _, text := range append([]string{u.Uid, u.Gid}, groups...) {
		id, err := strconv.Atoi(text)
		if err != nil {
			return fail(err)
		}
		ids = append(ids, id)
	}
	uid, gid := ids[0], ids[1]
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(ids[1:]) },
		func() error { return syscall.Setgid(gid) },
		func() error { return syscall.Setuid(uid) },
		func() error { return os.Setenv("HOME", u.HomeDir) },
		func() error { return os.Setenv("USER", u.Username) },
		func() error { return os.Setenv("LOGNAME", u.Username) },
	} {
		if err := step(); err != nil {
			return fail(err)
		}
	}
	return nil
}
