package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

const (
	// lookEvery is how often the certificate's files are read again. Reading two
	// small files costs nothing, and sees every way of replacing them: renames,
	// swapped links, writing in place.
	lookEvery = 5 * time.Second
	// maxPEMBytes bounds a file: a long chain has 10 kB.
	maxPEMBytes = 1 << 20
)

// Files are a certificate with its chain and its key, in PEM.
type Files struct {
	Cert, Key string
}

// pair is a certificate from files that may be replaced at any time.
type pair struct {
	files   Files
	log     *slog.Logger
	expiry  *expiry
	stale   prometheus.Gauge
	now     atomic.Pointer[tls.Certificate]
	every   time.Duration
	content []byte
}

// openPair reads the files, which must be good at the start.
func openPair(files Files, expiry *expiry, log *slog.Logger) (*pair, error) {
	p := &pair{files: files, log: log, expiry: expiry, every: lookEvery, stale: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "trackerd_server_tls_certificate_stale",
		Help: "1 while the certificate's files can't be used and an older certificate is.",
	})}
	if _, err := p.load(); err != nil {
		return nil, err
	}
	return p, nil
}

// GetCertificate returns the newest good one.
func (p *pair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return p.now.Load(), nil
}

// load reads the files, and reports whether they hold something new. What can't be
// used changes nothing.
func (p *pair) load() (changed bool, err error) {
	cert, key, mode, err := p.files.read()
	if err != nil {
		return false, err
	}
	content := bytes.Join([][]byte{cert, key, []byte(mode.String())}, []byte{0})
	if bytes.Equal(content, p.content) && p.now.Load() != nil {
		return false, nil
	}
	made, err := p.files.pair(cert, key, mode)
	if err != nil {
		return false, err
	}
	if openToAll(mode) {
		// Kubernetes mounts secrets like this: no reason to stop.
		p.log.Warn("everybody on this machine can read the certificate's key: chmod o-r", "key", p.files.Key)
	}
	p.now.Store(&made)
	p.content = content
	p.expiry.note("", made.Leaf.NotAfter)
	return true, nil
}

func (f Files) check() error {
	if f.Cert == "" || f.Key == "" {
		return errors.New("TLS needs both --tls-cert and --tls-key")
	}
	return nil
}

// read reads both, and how the key's file may be used.
func (f Files) read() (cert, key []byte, mode os.FileMode, err error) {
	if err := f.check(); err != nil {
		return nil, nil, 0, err
	}
	if cert, _, err = readPEM(f.Cert); err != nil {
		return nil, nil, 0, fmt.Errorf("reading the certificate: %w", err)
	}
	if key, mode, err = readPEM(f.Key); err != nil {
		return nil, nil, 0, fmt.Errorf("reading the certificate's key: %w", err)
	}
	return cert, key, mode, nil
}

// pair joins them, if they belong together and nobody else may write the key.
func (f Files) pair(cert, key []byte, mode os.FileMode) (tls.Certificate, error) {
	if mode.Perm()&0o022 != 0 {
		return tls.Certificate{}, fmt.Errorf("%s can be written by others (mode %04o): chmod go-w", f.Key, mode.Perm())
	}
	made, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return made, fmt.Errorf("certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	return made, nil
}

func openToAll(mode os.FileMode) bool { return mode.Perm()&0o004 != 0 }

// readPEM reads a small file through whatever links lead to it. What it asks is the
// file it has opened; neither opening nor reading waits for anybody: a pipe has no
// writer, and a file of /proc, of no size, may send nothing for hours.
func readPEM(path string) (text []byte, mode os.FileMode, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, who(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular() || info.Size() > maxPEMBytes:
		return nil, 0, fmt.Errorf("%s is no PEM file", path)
	case info.Size() == 0:
		return nil, 0, fmt.Errorf("%s is empty", path)
	}
	text, err = readSmall(f)
	return text, info.Mode(), err
}

// who names the user that may not read a file: a service is seldom the one who tries.
func who(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	name := fmt.Sprint("#", os.Geteuid())
	if u, lookupErr := user.LookupId(strconv.Itoa(os.Geteuid())); lookupErr == nil {
		name = u.Username
	}
	return fmt.Errorf("%w (the user %s must be able to read it)", err, name)
}

// readSmall reads what may have grown since it was looked at.
func readSmall(f io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxPEMBytes+1))
	if err == nil && len(text) > maxPEMBytes {
		err = fmt.Errorf("it has more than %d bytes", maxPEMBytes)
	}
	return text, err
}

// watch looks for new files until ctx ends. A pair that can't be used is logged
// once, and tried again: certificate and key are seldom replaced at one moment.
func (p *pair) watch(ctx context.Context) error {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		changed, err := p.load()
		switch {
		case err != nil && err.Error() != told:
			told = err.Error()
			p.stale.Set(1)
			p.log.Error("the new certificate can't be used; going on with the old one",
				"error", err, "expires", p.now.Load().Leaf.NotAfter)
		case err == nil:
			p.stale.Set(0)
			told = ""
		}
		if changed {
			p.log.Info("certificate replaced", "expires", p.now.Load().Leaf.NotAfter)
		}
	}
}

// expiry returns when the first of the certificates in use ends.
type expiry struct {
	desc *prometheus.Desc
	mu   sync.Mutex
	ends map[string]time.Time
}

func newExpiry() *expiry {
	return &expiry{ends: map[string]time.Time{}, desc: prometheus.NewDesc(
		"trackerd_server_tls_certificate_expiry_timestamp_seconds",
		"When the certificate in use ends, in Unix seconds; of several the first.", nil, nil)}
}

// note takes a certificate's end, by the name that it is for.
func (e *expiry) note(name string, end time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ends[name] = end
}

// Describe implements prometheus.Collector.
func (e *expiry) Describe(ch chan<- *prometheus.Desc) { ch <- e.desc }

// Collect implements prometheus.Collector: nothing before the first certificate.
func (e *expiry) Collect(ch chan<- prometheus.Metric) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var first time.Time
	for _, end := range e.ends {
		if first.IsZero() || end.Before(first) {
			first = end
		}
	}
	if !first.IsZero() {
		ch <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(first.Unix()))
	}
}
