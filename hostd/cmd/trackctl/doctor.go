package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/text"
	"activity-tracker.example/server/api"
)

const (
	// daemonPath is where the package puts trackerd; users' PATH lacks it.
	daemonPath = "/usr/sbin/trackerd"
	// checkConfigTimeout bounds the daemon's look at its configuration, which
	// is two small files.
	checkConfigTimeout = 5 * time.Second
)

func doctorCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Examine the whole host and say what to do (root only, but with --user)",
		Long: `doctor examines configuration, clock, server, credential, bus, sessions, X
access and buffer, and says for each problem what to do about it. It exits with 1
if a check failed, and with 3 if trackerd is not running.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			report, err := ask.Doctor(c.Context())
			notRunning := errors.Is(err, control.ErrNotRunning)
			if notRunning {
				report = o.withoutDaemon(c.Context())
			} else if err != nil {
				return err
			}
			if o.json {
				err = printJSON(c.OutOrStdout(), report)
			} else {
				err = printText(c.OutOrStdout(), doctorText(report))
			}
			switch {
			case err != nil:
				return err
			case notRunning:
				return foundError{control.ErrNotRunning}
			case !report.OK:
				return foundError{errors.New("problems were found")}
			}
			return nil
		},
	}
}

// withoutDaemon finds out what can be found out while trackerd does not run.
func (o *options) withoutDaemon(ctx context.Context) api.CheckReport {
	systemctl, journal, arguments := "systemctl", "journalctl -u", []string{"check-config"}
	if o.user {
		systemctl, journal, arguments = "systemctl --user", "journalctl --user -u", append(arguments, "--user")
	}
	daemon := api.Check{
		Name: "trackerd", Result: api.CheckFailed, Detail: "trackerd is not running",
		Advice: "start it with '" + systemctl + " start trackerd'; '" + journal + " trackerd' says why it stopped",
	}
	cfg := checkConfig(ctx, arguments)
	if cfg.Result == api.CheckFailed {
		daemon.Advice = "correct the configuration, then '" + systemctl + " restart trackerd'"
	}
	return api.NewCheckReport([]api.Check{daemon, cfg})
}

// checkConfig has trackerd itself read its configuration.
func checkConfig(ctx context.Context, arguments []string) api.Check {
	ctx, cancel := context.WithTimeout(ctx, checkConfigTimeout)
	defer cancel()
	path := daemonPath
	if found, err := exec.LookPath("trackerd"); err == nil {
		path = found
	}
	check := api.Check{Name: "configuration", Result: api.CheckOK}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, arguments...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	check.Detail = strings.TrimPrefix(text.Line(out.String(), 0), "trackerd: ")
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && check.Detail != "":
		check.Result, check.Advice = api.CheckFailed, "correct that line"
	default:
		check.Result, check.Detail = api.CheckSkipped, fmt.Sprintf("cannot run %s check-config: %v", path, err)
		check.Advice = "reinstall the package trackerd"
	}
	return check
}

func doctorText(r api.CheckReport) string {
	rows := make([][]string, 0, len(r.Checks))
	summary := "No problem found."
	for _, c := range r.Checks {
		if c.Result == api.CheckWarning {
			summary = "Nothing failed, but see the warnings."
		}
		rows = append(rows, []string{string(c.Result), c.Name, c.Detail})
		if c.Advice != "" {
			rows = append(rows, []string{"", "", "-> " + c.Advice})
		}
	}
	if !r.OK {
		summary = "Problems found."
	}
	return table(rows) + "\n" + summary + "\n"
}
