package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"activity-tracker.example/server/internal/store"
)

const (
	// serviceEnvFile and serviceUser are the package's: the configuration of
	// the service, and who it runs as.
	serviceEnvFile = "/etc/trackerd-server/server.env"
	serviceUser    = "trackerd-server"
	// makeDatabase is the package's program that makes the service's database.
	makeDatabase = "/usr/libexec/trackerd-server/make-database"
	// maxEnvFileBytes bounds the file: some 20 settings with their comments
	// are 4 kB.
	maxEnvFileBytes = 64 << 10
)

// adoptEnvironment puts the variables of the environment file into the
// environment, behind those that are there. Without --env-file it is the
// service's, so that a command finds the service's database by itself; not
// where a database of another was named.
//
// Root goes on as the service's user where it adopts the service's file.
func (s *settings) adoptEnvironment() error {
	path := s.envFile
	if path == "" {
		if s.databaseURL != "" || s.stateDir != "" || os.Getenv(envDatabase) != "" || os.Getenv(envStateDir) != "" {
			return nil
		}
		path = serviceEnvFile
	}
	variables, err := readEnvFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.envFile == "":
		return nil
	case errors.Is(err, fs.ErrPermission) && s.envFile == "":
		return fmt.Errorf("%w: run this as root or %s, or name a database of your own with --database-url or --state-dir", err, serviceUser)
	case err != nil:
		return err
	}
	for _, v := range variables {
		if _, set := os.LookupEnv(v.name); set {
			continue
		}
		if err := os.Setenv(v.name, v.value); err != nil {
			return fmt.Errorf("%s: %s: %w", path, v.name, err)
		}
	}
	if path != serviceEnvFile {
		return nil
	}
	s.service = true
	s.stateDir = cmp.Or(s.stateDir, os.Getenv(envStateDir), rootStateDir)
	if os.Geteuid() == 0 {
		return becomeService()
	}
	return nil
}

// explain adds to a refusal what to do about it, where the settings are those of
// the package's service.
func (s *settings) explain(err error) error {
	switch {
	case s.service && errors.Is(err, store.ErrNoAccess):
		return advisedError{err, envDatabase + " in " + serviceEnvFile + " says which; root's " + makeDatabase + " makes the one that the package comes with"}
	case errors.Is(err, store.ErrNoAccess) && s.databaseURL != "" && onThisMachine(s.databaseURL):
		return advisedError{err, "over a socket PostgreSQL may go by who asks: run this as the user that the URL names, by runuser -u NAME"}
	case s.service && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (this works as the user %s, also for root; the shell opens any file: "+
			"trackerd-server backup - >FILE, trackerd-server restore --overwrite - <FILE)", err, serviceUser)
	case errors.Is(err, store.ErrUnavailable) && s.advice(err) != "":
		return advisedError{err, s.advice(err)}
	default:
		return err
	}
}

// variable is one line of an environment file.
type variable struct{ name, value string }

func readEnvFile(path string) ([]variable, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer func() { _ = f.Close() }()
	variables, err := parseEnv(f)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return variables, nil
}

// parseEnv reads lines of NAME=VALUE as systemd's EnvironmentFile= would, and
// refuses what is left open there or easily misread. Errors begin with the line's
// number and never show a value, which may be a password.
func parseEnv(r io.Reader) ([]variable, error) {
	limited := &io.LimitedReader{R: r, N: maxEnvFileBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxEnvFileBytes)
	var list []variable
	seen := map[string]int{}
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		v, err := parseVariable(line)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		if first, twice := seen[v.name]; twice {
			return nil, fmt.Errorf("%d: %s is set in line %d already", n, v.name, first)
		}
		seen[v.name] = n
		list = append(list, v)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf(" %w", err)
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf(" more than %d bytes", maxEnvFileBytes)
	}
	return list, nil
}

func parseVariable(line string) (variable, error) {
	name, value, ok := strings.Cut(line, "=")
	if !ok || !isVariableName(name) {
		return variable{}, errors.New("want NAME=VALUE, with letters, digits and _ in the name")
	}
	value = strings.TrimSpace(value)
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		quote := value[:1]
		if value = value[1 : n-1]; strings.Contains(value, quote) {
			return variable{}, fmt.Errorf("%s: a quote inside quotes", name)
		}
	} else if strings.ContainsAny(value, `"'`) {
		return variable{}, fmt.Errorf("%s: quotes go around the whole value", name)
	}
	if strings.Contains(value, `\`) || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return variable{}, fmt.Errorf("%s: a backslash or a control character; in a URL, write it as %%5C", name)
	}
	return variable{name, value}, nil
}

func isVariableName(name string) bool {
	for i, c := range name {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// becomeService makes root the service's user, for good: PostgreSQL knows the
// service by its user, and nothing here needs root.
func becomeService() error {
	u, err := user.Lookup(serviceUser)
	if errors.As(err, new(user.UnknownUserError)) {
		return nil
	}
	fail := func(err error) error { return fmt.Errorf("going on as the user %s: %w", serviceUser, err) }
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
