package httpserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Certificate is what can be seen of one.
type Certificate struct {
	// Names are those that it is good for, addresses among them.
	Names []string
	// Begins and Ends are from when on and until when it is good.
	Begins, Ends time.Time
	// KeyOpen is set where everybody on this machine can read its key.
	KeyOpen bool
}

// Examine reads a pair of files as a server would. It changes nothing.
func (f Files) Examine() (Certificate, error) {
	cert, key, mode, err := f.read()
	if err != nil {
		return Certificate{}, err
	}
	made, err := f.pair(cert, key, mode)
	if err != nil {
		return Certificate{}, err
	}
	c := certificateOf(made.Leaf)
	c.KeyOpen = openToAll(mode)
	return c, nil
}

func certificateOf(leaf *x509.Certificate) Certificate {
	c := Certificate{Names: leaf.DNSNames, Begins: leaf.NotBefore, Ends: leaf.NotAfter}
	for _, ip := range leaf.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	return c
}

// ErrNoCertificate is returned where there is none by ACME for a name yet.
var ErrNoCertificate = errors.New("there is no certificate yet")

// Examine looks whether certificates by ACME can be kept, as far as that shows
// without asking the authority. It changes nothing. Where there is no folder yet, a
// server makes it.
func (a ACME) Examine() error {
	if err := a.check(); err != nil {
		return err
	}
	info, err := os.Stat(a.CacheDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking at the folder for certificates: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", a.CacheDir)
	case info.Mode().Perm() != cacheMode:
		return fmt.Errorf("%s has mode %04o, not %04o", a.CacheDir, info.Mode().Perm(), cacheMode)
	}
	if err := unix.Access(a.CacheDir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s can't be written to: %w", a.CacheDir, err)
	}
	return nil
}

// Kept returns the certificate that is kept for a name; ErrNoCertificate where there
// is none.
func (a ACME) Kept(domain string) (Certificate, error) {
	text, _, err := readPEM(filepath.Join(a.CacheDir, domain))
	if errors.Is(err, fs.ErrNotExist) {
		return Certificate{}, ErrNoCertificate
	}
	if err != nil {
		return Certificate{}, fmt.Errorf("reading the certificate that is kept: %w", err)
	}
	// Key and chain lie in one file.
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return Certificate{}, fmt.Errorf("certificate kept for %s: %w", domain, err)
	}
	return certificateOf(pair.Leaf), nil
}
