package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Exit codes, which scripts rely on.
const (
	exitOK = 0
	// exitFailed: something was tried and failed, or a check found a problem.
	exitFailed = 1
	// exitUsage: the command line or the environment is wrong, and nothing was
	// tried.
	exitUsage = 2
)

// usageError is a command line that can't be carried out as it stands.
type usageError struct{ error }

// Unwrap gives what is wrong with it.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// foundError says that a check found something, which is printed already.
type foundError struct{ error }

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}

// markUsage makes every complaint of cobra's about flags and arguments a
// usageError.
func markUsage(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w; see '%s --help'", err, c.CommandPath())
	})
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usagef("%w; see '%s --help'", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markUsage(sub)
	}
}
