// Command trackerd is the daemon on a host: it finds out who works there,
// measures how active they are through one helper in each session, keeps that
// on disk and uploads it. This package only joins the stages; each stage is a
// package of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/enrollment"
	"activity-tracker.example/server/api"
)

// version is set when a package is built.
var version = "development"

// gcPercent lets garbage grow to half of what lives. With Go's own 100 and 300
// sessions the daemon had 31 of the 32 MB that it may have. GOGC overrules it.
const gcPercent = 50

// processors is on how many the daemon runs at a time. With one, hundreds of helpers
// that report at once wake no threads to share the work; and it leaves the others to
// those who work here, whatever a backlog of uploads takes. GOMAXPROCS overrules it.
const processors = 1

func main() {
	bound()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// bound sets what the daemon takes of the host.
func bound() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors)
	}
}

// execute is the whole command; it returns the exit code.
func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	c := newRoot()
	c.SetArgs(args)
	c.SetOut(out)
	c.SetErr(errOut)
	err := c.ExecuteContext(ctx)
	if err == nil {
		return api.ExitOK
	}
	_, _ = fmt.Fprintf(errOut, "trackerd: %v\n", err) // nowhere else to complain
	var usage usageError
	var wrong *config.Error
	var beside systemDaemonError
	switch {
	case errors.As(err, &usage):
		return api.ExitUsage
	case errors.As(err, &wrong), errors.As(err, &beside):
		return api.ExitConfig
	}
	return api.ExitFailed
}

// usageError is a command line that trackerd does not understand.
type usageError struct{ error }

// options are the places that the command line can change.
type options struct {
	// configPath is empty unless a file was asked for by name.
	configPath     string
	enrollmentPath string
	credentialPath string
	socketPath     string
	helperPath     string
	// user is set when one person runs this without root, for themselves.
	user bool
	// defaultConfig is the file that need not be there.
	defaultConfig string
	// bufferPath is where the buffer is unless the configuration sets it; empty
	// means the package's place.
	bufferPath string
	// systemSocket is where the host's own daemon listens.
	systemSocket string
}

func (o *options) paths() config.Paths {
	p := config.Paths{Config: o.defaultConfig, Enrollment: o.enrollmentPath, Buffer: o.bufferPath}
	if o.configPath != "" {
		p.Config, p.ConfigRequired = o.configPath, true
	}
	return p
}

func newRoot() *cobra.Command {
	o := &options{defaultConfig: config.DefaultPath, systemSocket: control.DefaultSocket}
	root := &cobra.Command{
		Use:     "trackerd",
		Version: version,
		Short:   "Measure how active each user of this host is",
		Long: `trackerd is the daemon of Activity Tracker: it counts how active each user of
this host is, never what they type, and uploads that to a server. systemd runs it;
people ask it through trackctl. With --user one person runs it for themselves,
without root, where the host has none.

Exit codes: 0 ended when asked to; 1 failed; 64 wrong command line; 78 the
configuration is wrong, or --user beside the host's own daemon.`,
		Args:              noArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return o.settle(c) },
		RunE:              o.run,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.BoolVar(&o.user, "user", false, "measure only whoever runs this, without root, with files in their own folders")
	f.StringVar(&o.configPath, "config", "", "configuration `file` (default "+config.DefaultPath+", if there is one)")
	f.StringVar(&o.enrollmentPath, "enrollment", config.DefaultEnrollmentPath, "`file` that records the enrolment")
	f.StringVar(&o.credentialPath, "credential", enrollment.DefaultCredentialPath, "`file` that keeps the host's credential")
	f.StringVar(&o.socketPath, "socket", control.DefaultSocket, "control `socket` for trackctl")
	f.StringVar(&o.helperPath, "sessiond", defaultHelper, "`program` to run in each session")
	root.AddCommand(
		&cobra.Command{Use: "run", Short: "Run the daemon (the default)", Args: noArgs, RunE: o.run},
		&cobra.Command{Use: "check-config", Short: "Check the configuration and print what is wrong", Args: noArgs, RunE: o.checkConfig},
		&cobra.Command{
			Use: "version", Short: "Print the version of trackerd", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error { return printLine(c, "trackerd "+version) },
		},
	)
	return root
}

func noArgs(c *cobra.Command, args []string) error {
	if err := cobra.NoArgs(c, args); err != nil {
		return usageError{err}
	}
	return nil
}

func (o *options) run(c *cobra.Command, _ []string) error {
	cfg, err := config.Load(o.paths(), os.Environ())
	if err != nil {
		return err
	}
	return run(c.Context(), cfg, *o, newLogger(c.ErrOrStderr()))
}

// checkConfig prints one line: what the configuration sets, or what is wrong.
func (o *options) checkConfig(c *cobra.Command, _ []string) error {
	cfg, err := config.Load(o.paths(), os.Environ())
	if err != nil {
		return err
	}
	return printLine(c, describeConfig(cfg))
}

// describeConfig is a valid configuration in one line.
func describeConfig(cfg config.Config) string {
	server := cfg.ServerURL
	if server == "" {
		server = "no server yet"
	}
	return fmt.Sprintf("the configuration is valid: %s; one record every %d s, uploaded every %d s",
		server, int(cfg.CollectInterval.Seconds()), int(cfg.SendInterval.Seconds()))
}

func printLine(c *cobra.Command, line string) error {
	if _, err := fmt.Fprintln(c.OutOrStdout(), line); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// newLogger writes lines for the journal, which notes the time itself.
func newLogger(w io.Writer) *slog.Logger {
	inJournal := os.Getenv("JOURNAL_STREAM") != ""
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if inJournal && len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}
