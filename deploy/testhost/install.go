package testhost

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// CopyIn copies a file of the machine's to the host, with its permissions,
// owned by root; folders on the way are made.
func (h *Host) CopyIn(ctx context.Context, src, dst string) error {
	f, err := os.Open(src)
	if err != nil {
		return fmt.Errorf("copy to the test host: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("copy to the test host: %w", err)
	}
	return h.WriteFile(ctx, dst, f, info.Mode().Perm())
}

// WriteFile makes a file on the host, owned by root; folders on the way are
// made.
func (h *Host) WriteFile(ctx context.Context, dst string, content io.Reader, mode os.FileMode) error {
	res, err := h.Exec(ctx, Command{
		Args:  []string{"install", "-D", "-m", fmt.Sprintf("%o", mode), "/dev/stdin", dst},
		Stdin: content,
	})
	if err == nil && res.Code != 0 {
		err = errors.New(res.Stderr)
	}
	if err != nil {
		return fmt.Errorf("write %s on the test host: %w", dst, err)
	}
	return nil
}

// AddUser makes a user who can log in over RDP and returns the password.
func (h *Host) AddUser(ctx context.Context, name string) (password string, err error) {
	if _, err := h.Run(ctx, "useradd", "--create-home", "--shell", "/bin/bash", name); err != nil {
		return "", err
	}
	password = rand.Text()
	res, err := h.Exec(ctx, Command{Args: []string{"chpasswd"}, Stdin: strings.NewReader(name + ":" + password + "\n")})
	if err == nil && res.Code != 0 {
		err = errors.New(res.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("set the password of %s: %w", name, err)
	}
	// Kept so that another process can log the user in as well.
	err = os.WriteFile(filepath.Join(h.dir(), "password-"+name), []byte(password), 0o600)
	return password, err
}

// installTimeout bounds an apt run without network; 2 s is usual.
const installTimeout = 2 * time.Minute

// Install copies Debian packages of the machine's to the host and installs
// them with apt, without network. It returns what apt printed.
func (h *Host) Install(ctx context.Context, debs ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	args := []string{"apt-get", "install", "--yes", "--allow-downgrades"}
	for _, deb := range debs {
		dst := "/tmp/" + filepath.Base(deb)
		if err := h.CopyIn(ctx, deb, dst); err != nil {
			return "", err
		}
		args = append(args, dst)
	}
	res, err := h.Exec(ctx, Command{Args: args, Env: []string{"DEBIAN_FRONTEND=noninteractive"}})
	printed := res.Stdout + res.Stderr
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("apt-get install: exit code %d: %s", res.Code, tail(printed, 3000))
	}
	return printed, err
}
