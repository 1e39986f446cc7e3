package testhost

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the recipe
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed recipe/customize.sh
var customize string

// suite is the Debian release that a host runs, whatever the machine runs.
const suite = "bookworm"

// basePackages are what is on a host before a test adds anything. They include
// what the packages under test depend on, since hosts have no network to install
// it from. x11-utils and xinput let tests look at a session from within.
var basePackages = []string{
	"systemd", "systemd-sysv", "dbus", "libpam-systemd", "init-system-helpers",
	// Without xauth, which xrdp does not depend on, every local user may open
	// every display.
	"xrdp", "xorgxrdp", "xauth", "x11-common", "openbox", "xterm",
	"x11-xserver-utils", "x11-utils", "xinput",
	"ca-certificates", "iproute2", "procps", "adduser",
	// What trackerd-server recommends; no host starts it unless a test does.
	"postgresql",
}

// debianSources is used in place of the machine's own apt sources, which may
// name foreign archives.
const debianSources = `Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`

// baseTimeout bounds building the base tree: a minute is usual, a slow mirror
// takes several.
const baseTimeout = 15 * time.Minute

// BuildBase makes sure that the base tree for this recipe exists, and returns
// its path. It is built by mmdebstrap in about a minute, once, in the user's
// cache folder; another recipe makes another tree. Two callers at once build
// one tree. Progress goes to progress, which may be nil.
func BuildBase(ctx context.Context, progress io.Writer) (string, error) {
	if progress == nil {
		progress = io.Discard
	}
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	tree := filepath.Join(dir, "testhost-base-"+recipeHash())
	if isDir(tree) {
		return tree, nil
	}
	if err := checkTools("mmdebstrap"); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, "testhost-base.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(tree) {
		return tree, nil
	}
	if err := removeOldBases(dir); err != nil {
		return "", err
	}
	fmt.Fprintf(progress, "testhost: building the base tree once, about a minute (%s)\n", tree)
	ctx, cancel := context.WithTimeout(ctx, baseTimeout)
	defer cancel()
	if err := buildTree(ctx, dir, tree, progress); err != nil {
		return "", fmt.Errorf("build the test hosts' base tree: %w", err)
	}
	return tree, nil
}

// buildTree builds into a temporary folder and renames it, so that a tree
// under its final name is always whole.
func buildTree(ctx context.Context, dir, tree string, progress io.Writer) error {
	tmp, err := os.MkdirTemp(dir, "testhost-base-tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	sources := filepath.Join(tmp, "debian.sources")
	hook := filepath.Join(tmp, "customize.sh")
	if err := errors.Join(
		os.WriteFile(sources, []byte(debianSources), 0o644),
		os.WriteFile(hook, []byte(customize), 0o755),
	); err != nil {
		return err
	}
	built := filepath.Join(tmp, "tree")
	cmd := exec.CommandContext(ctx, "mmdebstrap",
		"--variant=minbase", "--mode=root", "--format=directory",
		"--include="+strings.Join(basePackages, ","),
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--customize-hook="+hook,
		suite, built, sources)
	var log bytes.Buffer
	cmd.Stdout = io.MultiWriter(&log, progress)
	cmd.Stderr = cmd.Stdout
	cmd.WaitDelay = 5 * time.Second
	// mmdebstrap cleans up after itself on SIGTERM.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mmdebstrap (does the machine reach deb.debian.org?): %w\n%s", err, tail(log.String(), 2000))
	}
	return os.Rename(built, tree)
}

// recipeHash names the tree after everything that decides what is in it.
func recipeHash() string {
	h := sha256.New()
	for _, part := range append([]string{suite, debianSources, customize}, basePackages...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// baseKeep is how long a tree of another recipe is kept: another checkout may
// still use it.
const baseKeep = 7 * 24 * time.Hour

// removeOldBases deletes trees of other recipes and what a killed build left.
// The caller holds the lock.
func removeOldBases(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "testhost-base-*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() {
			continue
		}
		unfinished := strings.HasPrefix(filepath.Base(path), "testhost-base-tmp-")
		if !unfinished && time.Since(info.ModTime()) < baseKeep {
			continue
		}
		if mounted(path) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove an old base tree: %w", err)
		}
	}
	return nil
}

// mounted says whether something is mounted at or below path, as while a build
// runs that does not hold the lock.
func mounted(path string) bool {
	mounts, err := os.ReadFile("/proc/self/mounts")
	return err != nil || bytes.Contains(mounts, []byte(" "+path))
}

// cacheDir is where things live that can be made again.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	dir := filepath.Join(base, "activity-tracker")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	return dir, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// tail returns at most the last n bytes of s.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }
