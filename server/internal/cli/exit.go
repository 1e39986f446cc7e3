package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/config"
)

// usageError is a command line that can't be carried out as it stands.
type usageError struct{ error }

// Unwrap returns what is wrong with it.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// foundError reports that a check found something, which is printed already.
type foundError struct{ error }

func exitCode(err error) int {
	var usage usageError
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
