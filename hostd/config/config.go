// Package config turns the host's configuration file, what enrolment recorded
// and the environment into one validated struct, or into one clear line that
// names the file, line and key that are wrong and what is allowed instead.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"activity-tracker.example/server/api/policy"
)

// Places of the configuration on a machine whose packages installed trackerd.
const (
	// DefaultPath is what the administrator edits.
	DefaultPath = "/etc/trackerd/config.yaml"
	// DefaultEnrollmentPath is what trackerd itself writes when it enrols; it
	// is read after DefaultPath.
	DefaultEnrollmentPath = "/etc/trackerd/enrollment.yaml"
)

// Defaults of keys that are not given.
const (
	// DefaultCollectInterval makes one record a minute, as fine as a timeline
	// of a working day is ever read.
	DefaultCollectInterval = time.Minute
	// DefaultSendInterval keeps the server five minutes behind at most, at 12
	// requests an hour and host.
	DefaultSendInterval = 5 * time.Minute
	// DefaultIdleAfter is how long reading a page without a hand on the mouse
	// may take before it counts as absence.
	DefaultIdleAfter = 3 * time.Minute
	// DefaultBufferPath is in the daemon's own state folder.
	DefaultBufferPath = "/var/lib/trackerd/buffer.db"
)

// maxFileBytes bounds a configuration file: all keys with long comments fit
// many times over.
const maxFileBytes = 64 << 10

// Config is the whole configuration, validated.
type Config struct {
	// ServerURL is the server that this host reports to, as ParseServerURL
	// writes it; empty until one is configured or enrolled with.
	ServerURL string
	// ServerURLSource is where ServerURL was given, such as
	// "/etc/trackerd/config.yaml:3"; empty where only enrolment set it.
	ServerURLSource string
	// MachineID is the template of machine_ids; empty means the roster's own.
	MachineID string
	// CollectInterval is the length of one record.
	CollectInterval time.Duration
	// SendInterval is the time between two uploads.
	SendInterval time.Duration
	// IdleAfter is how long without input makes a user idle.
	IdleAfter time.Duration
	// BufferPath is the file that keeps records until they are acknowledged.
	BufferPath string
	// AllowHTTP permits plain http to a server that is not loopback.
	AllowHTTP bool
	// ProxyURL is the proxy to the server; empty means HTTPS_PROXY's. It may hold a
	// password.
	ProxyURL string
	// Exposed is the file with the proxy's password, where others than root can read
	// it; else empty.
	Exposed string
	// CAFile holds authorities that are trusted beside the system's; empty: none.
	CAFile string
	// Sessions are the kinds of session that are measured.
	Sessions Sessions
	// VirtualUser is whose virtual displays are measured; empty without
	// Sessions.Virtual.
	VirtualUser string
	// RealInputDevices are the names of input devices that are virtual and
	// pass on what hands do, such as a program's that remaps keys.
	RealInputDevices []string
	Features         Features
	// rules are what Rules returns, as far as keys set it.
	rules policy.Document
	// Enrollment is what enrolling recorded; zero on a host not yet enrolled.
	Enrollment Enrollment
}

// Features are what is measured beyond counts.
type Features struct {
	// TrackSystemStats adds CPU, memory and disk use to each record.
	TrackSystemStats bool
	// WindowTitles records titles of windows, and not only applications.
	WindowTitles bool
	// Screenshots are whether pictures are taken, and which.
	Screenshots policy.EffectiveScreenshots
}

// Enrollment is what enrolling with a server recorded. It holds no secret.
type Enrollment struct {
	// ServerURL is the server that issued the host's credential.
	ServerURL string
	// HostID is the name under which it knows this host.
	HostID string
	// AllowHTTP is true where plain http was allowed when enrolling.
	AllowHTTP bool
}

// Paths are the files to read.
type Paths struct {
	// Config is the administrator's file. It may be missing unless
	// ConfigRequired.
	Config string
	// ConfigRequired makes a missing Config an error: it was asked for by name.
	ConfigRequired bool
	// Enrollment is trackerd's own file; it may be missing.
	Enrollment string
	// Buffer is where records wait unless a source names another place; empty
	// means DefaultBufferPath.
	Buffer string
}

// Error is one thing that is wrong with the configuration.
type Error struct {
	// Source is "FILE:LINE", "FILE" or "environment".
	Source string
	// Key is the key as written in a file, or the name of an environment
	// variable; empty where the whole source is wrong.
	Key string
	// Problem is what is wrong and what is allowed.
	Problem string
}

// Error returns the whole line.
func (e *Error) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s: %s", e.Source, e.Problem)
	}
	return fmt.Sprintf("%s: %s: %s", e.Source, e.Key, e.Problem)
}

// Load reads the sources in their order, each stronger than those before it:
// defaults, the administrator's file, the environment (as os.Environ returns
// it). Enrolment fills in a server that they do not name. An error is an
// *Error.
func Load(paths Paths, environ []string) (Config, error) {
	l := newLoader()
	if paths.Buffer != "" {
		l.cfg.BufferPath = paths.Buffer
	}
	if err := l.file(paths.Config, paths.ConfigRequired, fileKeys(), l.from); err != nil {
		return Config{}, err
	}
	if paths.Enrollment != "" {
		if err := l.file(paths.Enrollment, false, enrollmentKeys(), l.enrolledFrom); err != nil {
			return Config{}, err
		}
	}
	if err := l.environment(environ); err != nil {
		return Config{}, err
	}
	return l.finish()
}

// loader collects values and where each came from.
type loader struct {
	cfg Config
	// from holds the source of each key that was given, by the key's name.
	from map[string]string
	// enrolledFrom does the same for the keys that enrolment recorded.
	enrolledFrom map[string]string
}

func newLoader() *loader {
	return &loader{
		cfg: Config{
			CollectInterval: DefaultCollectInterval,
			SendInterval:    DefaultSendInterval,
			IdleAfter:       DefaultIdleAfter,
			BufferPath:      DefaultBufferPath,
			Sessions:        Sessions{RDP: true, Local: true},
			Features:        Features{TrackSystemStats: true, WindowTitles: true},
		},
		from:         make(map[string]string),
		enrolledFrom: make(map[string]string),
	}
}

// file reads one file's keys and notes in given where each stands.
func (l *loader) file(path string, required bool, keys []key, given map[string]string) error {
	data, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) && !required {
		return nil
	}
	if err != nil {
		return &Error{Source: path, Problem: err.Error()}
	}
	entries, err := parse(path, data, keys)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := e.key.set(&l.cfg, e.value); err != nil {
			return &Error{Source: e.source, Key: e.key.name, Problem: err.Error()}
		}
		given[e.key.name] = e.source
		if e.key.name == keyProxyURL && holdsPassword(e.value.text) && readByOthers(path) {
			l.cfg.Exposed = path
		}
	}
	return nil
}

// readByOthers reports whether others than the owner of a file can read it.
func readByOthers(path string) bool {
	const others = 0o044
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&others != 0
}

// finish checks what more than one key decides.
func (l *loader) finish() (Config, error) {
	c := l.cfg
	if err := l.checkVirtual(); err != nil {
		return Config{}, err
	}
	c.AllowHTTP = c.AllowHTTP || c.Enrollment.AllowHTTP
	enrolled, err := ParseServerURL(c.Enrollment.ServerURL, c.AllowHTTP)
	if err != nil {
		return Config{}, &Error{Source: l.enrolledFrom[keyServerURL], Key: keyServerURL, Problem: err.Error()}
	}
	c.Enrollment.ServerURL = enrolled
	if c.ServerURL == "" {
		c.ServerURL = enrolled
		return c, nil
	}
	c.ServerURLSource = l.from[keyServerURL]
	configured, err := ParseServerURL(c.ServerURL, c.AllowHTTP)
	if err != nil {
		return Config{}, l.complain(keyServerURL, err.Error())
	}
	c.ServerURL = configured
	return c, nil
}

// complain returns what is wrong with a key where it was given.
func (l *loader) complain(key, problem string) *Error {
	source := l.from[key]
	if source == environmentSource {
		key = envName(key)
	}
	return &Error{Source: source, Key: key, Problem: problem}
}

// readBounded reads a small regular file. Its errors leave out the path, which
// the caller names.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, bare(err)
	}
	defer func() { _ = f.Close() }() // only read from: closing can lose nothing
	info, err := f.Stat()
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	if err := checkWriters(info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, bare(err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("is larger than %d KiB", maxFileBytes>>10)
	}
	return data, nil
}

// checkWriters refuses a file that others may change: it decides where a root
// daemon writes, whose records it makes and where they go.
func checkWriters(info fs.FileInfo) error {
	const others = 0o002
	if info.Mode().Perm()&others != 0 {
		return errors.New("can be changed by every user; correct that with 'chmod o-w'")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return errors.New("belongs to another user; correct that with 'chown'")
	}
	return nil
}

// bare takes the operation and path off an error of package os.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("cannot be read: %w", pe.Err)
	}
	return err
}
