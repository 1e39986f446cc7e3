// Package console is what commands have in common: what they print, and how they exit.
package console

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/config"
)

// UsageError is a command line that can't be carried out as it stands.
type UsageError struct{ Err error }

// Error returns what is wrong with it.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e UsageError) Unwrap() error { return e.Err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// FoundError reports that a check found something, which is printed already.
type FoundError struct{ Err error }

// Error returns what was found.
func (e FoundError) Error() string { return e.Err.Error() }

// ExitCode returns the exit code that an error stands for.
func ExitCode(err error) int {
	var usage UsageError
	var setting *config.Error
	switch {
	case err == nil:
		return api.ExitOK
	case errors.As(err, &usage):
		return api.ExitUsage
	case errors.As(err, &setting) && setting.OnCommandLine:
		return api.ExitUsage
	case errors.As(err, &setting):
		return api.ExitConfig
	}
	return api.ExitFailed
}

// AddCompletion adds cobra's command for completion, which by itself answers a shell that
// it does not know with its help, as if all was well. It prints where root does now.
func AddCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			MarkUsage(cmd)
		}
	}
}

// MarkUsage makes every complaint of cobra's about flags and arguments a
// UsageError.
func MarkUsage(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return Usagef("%w; see '%s --help'", err, c.CommandPath())
	})
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return Usagef("%w; see '%s --help'", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		MarkUsage(sub)
	}
}
