package e2etest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Packages are the files of a version's packages.
type Packages struct{ Agent, Server string }

// Earlier returns the packages of an earlier commit, built from it the first time
// and kept below the user's folder for caches.
func Earlier(ctx context.Context, commit string) (Packages, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Packages{}, err
	}
	kept := filepath.Join(cache, "activity-tracker", "packages-"+commit)
	if p, err := packagesIn(kept); err == nil {
		return p, nil
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return Packages{}, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(kept), "packages-tmp-")
	if err != nil {
		return Packages{}, err
	}
	defer os.RemoveAll(tmp)
	if err := buildPackages(ctx, commit, filepath.Join(tmp, "tree")); err != nil {
		return Packages{}, fmt.Errorf("build the packages of %s: %w", commit, err)
	}
	// Two tests may have built it; the first one's are as good.
	if err := os.Rename(filepath.Join(tmp, "tree", "dist"), kept); err != nil && !errors.Is(err, os.ErrExist) {
		return Packages{}, err
	}
	return packagesIn(kept)
}

func packagesIn(dir string) (Packages, error) {
	p := Packages{
		Agent:  newest(filepath.Join(dir, "trackerd_*.deb")),
		Server: newest(filepath.Join(dir, "trackerd-server_*.deb")),
	}
	if p.Agent == "" || p.Server == "" {
		return p, fmt.Errorf("%s lacks a package", dir)
	}
	return p, nil
}

// buildPackages clones the repository, so that nothing here is touched, and makes
// the packages of a commit there.
func buildPackages(ctx context.Context, commit, tree string) error {
	top, err := top()
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"git", "clone", "--quiet", "--no-checkout", top, tree},
		{"git", "-C", tree, "checkout", "--quiet", "--detach", commit},
		{"make", "-C", tree, "deb"},
	} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}
	return nil
}
