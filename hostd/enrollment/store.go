// Package enrollment makes this host known to a server and keeps what came of
// it: the host's credential, which is only ever handed out together with the
// URL of the server that issued it, and the record of the enrolment that the
// configuration reads.
package enrollment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/durable"
	"activity-tracker.example/hostd/outbound"
)

// DefaultCredentialPath is in the daemon's own state folder.
const DefaultCredentialPath = "/var/lib/trackerd/credential"

const (
	// credentialMode: only root may read what authenticates the host.
	credentialMode = 0o600
	// credentialDirMode: nobody else may even list the state folder.
	credentialDirMode = 0o700
	// recordMode: the record holds no secret, and people may look at it.
	recordMode = 0o644
	// maxCredentialFileBytes bounds the credential's file: a URL, an id and a
	// secret.
	maxCredentialFileBytes = 16 << 10
	// maxCredentialBytes bounds a credential: it travels in a header line.
	maxCredentialBytes = 1024
)

// Options are who enrols and the files that enrolling writes.
type Options struct {
	// HostID is this host's. A credential that was issued to another is not used:
	// this machine was cloned from that one, and would speak for it.
	HostID string
	// Credential is the secret's file.
	Credential string
	// Record is what the configuration reads as its enrolment.
	Record string
	// Outbound is how the server is reached.
	Outbound outbound.Options
	// StopIfExposed makes a credential that others may read an error, instead
	// of a host that is not enrolled: in a person's own folder it is theirs to
	// put right at once.
	StopIfExposed bool
}

// State is how enrolled the host is, without the secret.
type State struct {
	// Enrolled is true where there is a credential for the configured server.
	Enrolled bool
	// ServerURL is the server that is configured or enrolled with; may be empty.
	ServerURL string
	// Problem is why the host is not enrolled although it once was, and
	// what to do; empty otherwise.
	Problem string
}

// credentialFile is the secret with the server that issued it: the two are
// useless apart, so that they cannot be mixed up.
type credentialFile struct {
	ServerURL  string `json:"server_url"`
	HostID     string `json:"host_id"`
	Credential string `json:"credential"`
}

// Store holds the enrolment. It is safe for concurrent use.
type Store struct {
	o Options
	// configuredURL is the server_url that the administrator set; a host
	// enrols with no other. Empty where none is set.
	configuredURL string
	// configuredFrom names the place of that setting.
	configuredFrom string

	mu     sync.Mutex
	target outbound.Target // zero while not enrolled
	state  State
}

// Open reads what is there. A damaged or foreign credential is no error: the
// host is then not enrolled, and State returns why.
func Open(o Options, cfg config.Config) (*Store, error) {
	s := &Store{o: o, configuredFrom: cfg.ServerURLSource}
	if cfg.ServerURLSource != "" {
		s.configuredURL = cfg.ServerURL
	}
	s.state.ServerURL = cfg.ServerURL
	c, err := readCredential(o.Credential)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if cfg.Enrollment.ServerURL != "" {
			s.state.Problem = fmt.Sprintf("%s is missing; enrol again", o.Credential)
		}
		return s, nil
	case errors.Is(err, errExposed) && o.StopIfExposed:
		return nil, &config.Error{Source: o.Credential, Problem: err.Error() + "; remove it and enrol again"}
	case errors.Is(err, errExposed):
		s.state.Problem = o.Credential + " " + err.Error() + "; enrol again"
		return s, nil
	case errors.Is(err, errDamaged):
		s.state.Problem = err.Error() + "; enrol again"
		return s, nil
	case err != nil:
		return nil, err
	}
	if p := s.mismatch(c, cfg); p != "" {
		s.state.Problem = p
		return s, nil
	}
	s.target = outbound.Target{URL: c.ServerURL, Credential: c.Credential}
	s.state = State{Enrolled: true, ServerURL: c.ServerURL}
	return s, nil
}

// mismatch returns why a credential is not to be used under this configuration.
func (s *Store) mismatch(c credentialFile, cfg config.Config) string {
	switch {
	case c.HostID != s.o.HostID:
		return fmt.Sprintf("the credential in %s was issued to another machine (host id %s, and this one's is %s): "+
			"it was copied from there, or /etc/machine-id has changed; enrol this machine, and nothing is mixed up", s.o.Credential, c.HostID, s.o.HostID)
	case s.configuredURL != "" && s.configuredURL != c.ServerURL:
		return fmt.Sprintf("%s says server_url %s, but the host is enrolled with %s; enrol with the first or correct server_url",
			s.configuredFrom, s.configuredURL, c.ServerURL)
	case cfg.Enrollment.ServerURL != c.ServerURL || cfg.Enrollment.HostID != c.HostID:
		return fmt.Sprintf("%s and %s are not of the same enrolment; enrol again", s.o.Credential, s.o.Record)
	}
	return ""
}

// Target returns the server and the credential that it issued; false while the
// host is not enrolled.
func (s *Store) Target() (outbound.Target, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.target, s.state.Enrolled
}

// State reports how enrolled the host is.
func (s *Store) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// keep writes a new enrolment and uses it from now on. The credential goes
// first: if the record then fails, the two do not match and neither is used.
func (s *Store) keep(c credentialFile, allowHTTP bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode the credential: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(s.o.Credential), credentialDirMode); err != nil {
		return fmt.Errorf("make the credential's folder: %w", err)
	}
	if err := durable.WriteFile(s.o.Credential, append(secret, '\n'), credentialMode); err != nil {
		return fmt.Errorf("keep the credential: %w", err)
	}
	record := fmt.Sprintf(`# Written by trackerd when it enrolled; 'trackctl enroll' writes it anew.
server_url: %q
host_id: %q
allow_http: %t
`, c.ServerURL, c.HostID, allowHTTP)
	if err := durable.WriteFile(s.o.Record, []byte(record), recordMode); err != nil {
		s.target, s.state.Enrolled = outbound.Target{}, false
		s.state.Problem = "the enrolment could not be written to " + s.o.Record + "; enrol again"
		return fmt.Errorf("record the enrolment: %w", err)
	}
	s.target = outbound.Target{URL: c.ServerURL, Credential: c.Credential}
	s.state = State{Enrolled: true, ServerURL: c.ServerURL}
	return nil
}

// errDamaged is wrapped where the credential's file is not what keep wrote.
var errDamaged = errors.New("is damaged")

// errExposed is wrapped where others may have read the credential, or may change
// which one is read.
var errExposed = errors.New("is not safe")

func readCredential(path string) (credentialFile, error) {
	// No link is followed: what lies elsewhere may be somebody else's to change.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return credentialFile{}, fmt.Errorf("%w: it is a link", errExposed)
	}
	if err != nil {
		return credentialFile{}, fmt.Errorf("read the credential: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from: closing can lose nothing
	info, err := f.Stat()
	if err != nil {
		return credentialFile{}, fmt.Errorf("read the credential: %w", err)
	}
	if !info.Mode().IsRegular() {
		return credentialFile{}, fmt.Errorf("%s %w: no regular file", path, errDamaged)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return credentialFile{}, fmt.Errorf("%w: its mode %#o lets others read it", errExposed, perm)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCredentialFileBytes+1))
	if err != nil {
		return credentialFile{}, fmt.Errorf("read the credential: %w", err)
	}
	var c credentialFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if len(data) > maxCredentialFileBytes || dec.Decode(&c) != nil || c.ServerURL == "" || !validCredential(c.Credential) {
		return credentialFile{}, fmt.Errorf("%s %w", path, errDamaged)
	}
	return c, nil
}

// validCredential reports whether a secret can travel in a header line.
func validCredential(s string) bool {
	return s != "" && len(s) <= maxCredentialBytes && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
