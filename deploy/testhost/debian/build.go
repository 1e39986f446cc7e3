// Package debian builds trees of Debian, whole file systems in a folder, and
// keeps them: test hosts boot copies of them, in a container or as a disk.
package debian

import (
	"bytes"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"activity-tracker.example/testhost/internal/wait"
)

var (
	//go:embed customize.sh
	customize string
	//go:embed customize-xrdp.sh
	customizeXRDP string
	//go:embed customize-xfce.sh
	customizeXFCE string
)

// buildTimeout bounds building a tree: a minute is usual, a slow mirror or a busy
// machine takes many.
const buildTimeout = 30 * time.Minute

// treePrefix begins the names of all trees in the cache folder.
const treePrefix = "testhost-base-"

// Build makes sure that the tree of this recipe exists, and returns its path.
// mmdebstrap builds it in about a minute, once, in the user's cache folder.
// Nobody writes there after that. Two callers at once build one tree. Progress
// goes to progress, which may be nil.
func Build(ctx context.Context, r Recipe, progress io.Writer) (string, error) {
	if progress == nil {
		progress = io.Discard
	}
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	tree := filepath.Join(dir, treePrefix+r.id())
	if used(tree) {
		return tree, nil
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return "", errors.New("a program is missing; run: apt-get install mmdebstrap")
	}
	unlock, err := wait.Lock(ctx, tree+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if used(tree) {
		return tree, nil
	}
	if err := removeUnused(dir); err != nil {
		return "", err
	}
	fmt.Fprintf(progress, "testhost: building the tree %s-%s once, about a minute (%s)\n", r.Suite, r.Name, tree)
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	if err := r.build(ctx, tree, progress); err != nil {
		return "", fmt.Errorf("build the tree %s-%s: %w", r.Suite, r.Name, err)
	}
	return tree, nil
}

// build builds into a temporary folder and renames it, so that a tree under
// its final name is always whole. The caller holds the tree's lock.
func (r Recipe) build(ctx context.Context, tree string, progress io.Writer) error {
	tmp := tree + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return fmt.Errorf("remove what an ended build left: %w", err)
	}
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	sources := filepath.Join(tmp, "debian.sources")
	if err := os.WriteFile(sources, []byte(r.sources()), 0o644); err != nil {
		return err
	}
	args := []string{
		"--variant=minbase", "--mode=root", "--format=directory",
		"--include=" + strings.Join(r.Packages, ","),
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
	}
	for i, script := range []string{customize, r.Customize} {
		if script == "" {
			continue
		}
		hook := filepath.Join(tmp, fmt.Sprintf("customize-%d.sh", i))
		if err := os.WriteFile(hook, []byte(script), 0o755); err != nil {
			return err
		}
		args = append(args, "--customize-hook="+hook)
	}
	built := filepath.Join(tmp, "tree")
	if err := runMmdebstrap(ctx, progress, append(args, string(r.Suite), built, sources)...); err != nil {
		return err
	}
	return os.Rename(built, tree)
}

func runMmdebstrap(ctx context.Context, progress io.Writer, args ...string) error {
	// What it mounts in the tree vanishes with it, even if it is killed: nobody may
	// remove a tree with the machine's /proc or /dev in it.
	cmd := exec.CommandContext(ctx, "unshare",
		append([]string{"--mount", "--propagation=private", "mmdebstrap"}, args...)...)
	var log bytes.Buffer
	cmd.Stdout = io.MultiWriter(&log, progress)
	cmd.Stderr = cmd.Stdout
	cmd.WaitDelay = 5 * time.Second
	// mmdebstrap cleans up after itself on SIGTERM.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Run(); err != nil {
		const enough = 2000
		end := log.String()
		return fmt.Errorf("mmdebstrap (does the machine reach deb.debian.org?): %w\n%s", err, end[max(0, len(end)-enough):])
	}
	return nil
}

// used reports whether the tree is there, and notes that it is in use.
func used(tree string) bool {
	if info, err := os.Stat(tree); err != nil || !info.IsDir() {
		return false
	}
	now := time.Now()
	// Only removeUnused reads it, and it allows for a week.
	_ = os.Chtimes(tree, now, now)
	return true
}

// keepUnused is how long a tree is kept that nobody uses: another checkout may
// have another recipe.
const keepUnused = 7 * 24 * time.Hour

// removeUnused deletes the trees that nobody used for long, whole or begun.
func removeUnused(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, treePrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < keepUnused {
			continue
		}
		if err := removeUnlocked(path, strings.TrimSuffix(path, ".tmp")+".lock"); err != nil {
			return fmt.Errorf("remove the unused tree %s: %w", path, err)
		}
	}
	return nil
}

// removeUnlocked deletes a tree unless it is being made.
func removeUnlocked(path, lock string) error {
	f, err := os.OpenFile(lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if free, err := wait.TryLock(f); !free {
		return err
	}
	return os.RemoveAll(path)
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
