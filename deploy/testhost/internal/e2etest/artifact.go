// Package e2etest has what tests of whole machines share: what they are about, a
// server to report to, and patience.
package e2etest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Artifact returns the path of what the variable names, or of the newest file of
// the pattern that make left, or has make build the target. The pattern is
// relative to the repository's top.
func Artifact(ctx context.Context, variable, pattern, target string) (string, error) {
	if path := os.Getenv(variable); path != "" {
		return path, nil
	}
	top, err := top()
	if err != nil {
		return "", err
	}
	if path := newest(filepath.Join(top, pattern)); path != "" {
		return path, nil
	}
	cmd := exec.CommandContext(ctx, "make", "-C", top, target)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("make %s: %w", target, err)
	}
	if path := newest(filepath.Join(top, pattern)); path != "" {
		return path, nil
	}
	return "", fmt.Errorf("make %s left no %s", target, pattern)
}

// top returns the repository's folder, above the one that a test runs in.
func top() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.New("no folder above this one has a go.work")
}

func newest(pattern string) string {
	var best string
	var bestTime time.Time
	paths, _ := filepath.Glob(pattern) // the pattern is well-formed
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(bestTime) {
			best, bestTime = path, info.ModTime()
		}
	}
	return best
}

// Copy copies a file; the copy may be run.
func Copy(src, dst string) error {
	b, err := os.ReadFile(src)
	if err != nil {
		return err
	}
	return os.WriteFile(dst, b, 0o755)
}
