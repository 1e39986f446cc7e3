package outbound

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxAuthorityFile bounds a file of certificates, in bytes: Debian's has 220 kB.
const maxAuthorityFile = 8 << 20

// authorities are those that are trusted: the system's and those of a file. The
// standard library reads the system's once, for as long as a process lives.
type authorities struct {
	caFile string
	pool   *x509.CertPool
	seen   []stamp // of what pool was read from
}

// stamp shows whether a file or folder has changed.
type stamp struct {
	path string
	size int64
	at   time.Time
}

func newAuthorities(caFile string) *authorities { return &authorities{caFile: caFile} }

// reload reads them where that was not done yet, or some file has changed.
func (a *authorities) reload() (changed bool, err error) {
	file, folders := systemPlaces()
	var now []stamp
	for _, path := range append([]string{a.caFile, file}, folders...) {
		if info, err := os.Stat(path); err == nil {
			now = append(now, stamp{path: path, size: info.Size(), at: info.ModTime()})
		}
	}
	if a.pool != nil && slices.Equal(now, a.seen) {
		return false, nil
	}
	pool := readSystem(file, folders)
	if a.caFile != "" {
		pem, err := readBounded(a.caFile)
		if err != nil {
			return false, fmt.Errorf("read ca_file: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return false, fmt.Errorf("ca_file %s holds no certificate in PEM", a.caFile)
		}
	}
	a.pool, a.seen = pool, now
	return true, nil
}

// systemPlaces returns where the system keeps its authorities, as the standard library
// looks for them.
func systemPlaces() (file string, folders []string) {
	files := []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}
	if named := os.Getenv("SSL_CERT_FILE"); named != "" {
		files = []string{named}
	}
	folders = []string{"/etc/ssl/certs"}
	if named := os.Getenv("SSL_CERT_DIR"); named != "" {
		folders = strings.Split(named, ":")
	}
	for _, file := range files {
		if _, err := os.Stat(file); err == nil { //nolint:gosec // root's own environment may name it
			return file, folders
		}
	}
	return files[0], folders
}

// readSystem reads what can be read: what is missing shows when a certificate is not
// trusted.
func readSystem(file string, folders []string) *x509.CertPool {
	pool := x509.NewCertPool()
	add := func(path string) {
		if pem, err := readBounded(path); err == nil {
			pool.AppendCertsFromPEM(pem)
		}
	}
	add(file)
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		for _, e := range entries {
			add(filepath.Join(folder, e.Name()))
		}
	}
	return pool
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open a file of certificates: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from: closing can lose nothing
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(&fs.PathError{Op: "read", Path: path, Err: fs.ErrInvalid}, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxAuthorityFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxAuthorityFile {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxAuthorityFile>>20)
	}
	return data, nil
}
