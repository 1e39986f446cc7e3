// Command testhost boots disposable xrdp hosts and drives them from a shell.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// exitError carries the exit code of a command that ran on a host.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	var code exitError
	switch {
	case err == nil:
	case errors.As(err, &code):
		os.Exit(int(code))
	default:
		fmt.Fprintln(os.Stderr, "testhost:", err)
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "testhost",
		Short: "Boot disposable xrdp hosts and drive them",
		Long: `testhost boots disposable Debian hosts with the real systemd and xrdp, logs
users in over RDP, and types, clicks, scrolls and moves there.

  testhost up                        in one terminal; Ctrl-C removes the host
  testhost adduser alice             in another one
  testhost login alice
  testhost type alice "hello"
  testhost screenshot alice shot.png
  testhost exec -- journalctl -b
  testhost logout alice

Needs root. While just one host is up, --host can be left out.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var host string
	root.PersistentFlags().StringVarP(&host, "host", "H", "", "id of the host, as testhost list shows it")
	root.AddCommand(buildBaseCommand(), upCommand(), listCommand(), sweepCommand())
	root.AddCommand(hostCommands(&host)...)
	root.AddCommand(clientCommands(&host)...)
	return root
}
