// Command trackctl shows people on a host what trackerd does there, and lets
// root enrol and examine it. It speaks to trackerd over its control socket and
// reads nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/text"
	"activity-tracker.example/server/api"
)

// version is set when a package is built.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole command; it returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	c := newRoot()
	c.SetArgs(args)
	c.SetIn(in)
	c.SetOut(out)
	c.SetErr(errOut)
	addCompletion(c)
	err := c.ExecuteContext(ctx)
	if err == nil {
		return api.ExitOK
	}
	var found foundError
	if !errors.As(err, &found) { // those are on standard output already
		_, _ = fmt.Fprintf(errOut, "trackctl: %s\n", text.Line(advise(err), 0)) // nowhere else to complain
	}
	return exitCode(err)
}

// usageError is a command line that trackctl does not understand.
type usageError struct {
	error
	// command is the command that was meant, as in "trackctl enroll".
	command string
}

// foundError reports that the doctor found something; it is printed already.
type foundError struct{ error }

// Unwrap returns what the exit code is chosen by.
func (p foundError) Unwrap() error { return p.error }

func exitCode(err error) int {
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return api.ExitUsage
	case errors.Is(err, control.ErrNotRunning):
		return api.ExitNotRunning
	case errors.Is(err, control.ErrNotPermitted):
		return api.ExitNotPermitted
	}
	return api.ExitFailed
}

// advise returns the words for a person: what went wrong and what to do.
func advise(err error) string {
	var usage usageError
	var refusal *control.RefusalError
	switch {
	case errors.As(err, &usage):
		return fmt.Sprintf("%v; see '%s --help'", err, usage.command)
	case errors.Is(err, control.ErrNotRunning):
		return "trackerd is not running; 'systemctl status trackerd' and 'sudo trackctl doctor' say why; " +
			"without sudo, ask the administrator, or see 'systemctl --user status trackerd' for one of your own"
	case errors.As(err, &refusal):
		return refusal.Message
	}
	return err.Error()
}

// options are what every command knows.
type options struct {
	socket string
	// user asks for the trackerd that the asker runs for themselves.
	user bool
	json bool
}

// client asks the host's trackerd, or the asker's own: with --user, or where only
// that one runs.
func (o *options) client(c *cobra.Command) (*control.Client, error) {
	if o.user {
		own, err := control.UserSocket(os.Getenv("XDG_RUNTIME_DIR"))
		if err != nil {
			return nil, err
		}
		return control.NewClient(own), nil
	}
	if !c.Flags().Changed("socket") && !control.Answers(c.Context(), o.socket) {
		own, err := control.UserSocket(os.Getenv("XDG_RUNTIME_DIR"))
		if err == nil && control.Answers(c.Context(), own) {
			return control.NewClient(own), nil
		}
	}
	return control.NewClient(o.socket), nil
}

func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:     "trackctl",
		Version: version,
		Short:   "Show and manage activity tracking on this host",
		Long: `trackctl shows what trackerd measures on this host. Everybody may ask about
themselves, and pause for themselves; only root sees everybody, and only root may enrol
or examine the host.
Where the host has no trackerd, or with --user, it asks the one that you run for
yourself.

Exit codes: 0 done; 1 failed, or the doctor found a problem; 3 trackerd is not
running; 4 not permitted; 64 wrong command line.`,
		Args:              usageArgs(cobra.NoArgs),
		SilenceUsage:      true,
		SilenceErrors:     true,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{err, c.CommandPath()} })
	root.PersistentFlags().StringVar(&o.socket, "socket", control.DefaultSocket, "trackerd's control socket")
	root.PersistentFlags().BoolVar(&o.user, "user", false, "ask the trackerd that you run for yourself ('trackerd run --user')")
	root.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON for scripts")
	root.AddCommand(statusCommand(o), sessionsCommand(o), enrollCommand(o), doctorCommand(o), rejectedCommand(o), pauseCommand(o), resumeCommand(o), noticeCommand(o), webCommand(o), versionCommand(o))
	return root
}

// addCompletion adds cobra's command for completion, which by itself answers a shell
// that it does not know with its help, as if all was well. It prints where root does now.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args = usageArgs(c.Args)
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}

// usageArgs marks a complaint about arguments as one about the command line.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{err, c.CommandPath()}
		}
		return nil
	}
}

func versionCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of trackctl",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.json {
				return printJSON(c.OutOrStdout(), map[string]string{"version": version})
			}
			return printText(c.OutOrStdout(), "trackctl "+version+"\n")
		},
	}
}
