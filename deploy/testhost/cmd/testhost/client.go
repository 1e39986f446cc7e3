package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"activity-tracker.example/testhost"
)

// onClient runs fn with the RDP client of the user whom the first argument
// names.
func onClient(host *string, fn func(ctx context.Context, r *testhost.RDP, args []string) error) func(*cobra.Command, []string) error {
	return onHost(host, func(cmd *cobra.Command, h *testhost.Host, args []string) error {
		r, err := h.AttachRDP(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return errors.Join(fn(cmd.Context(), r, args[1:]), r.Detach())
	})
}

func clientCommands(host *string) []*cobra.Command {
	simple := func(use, short string, args int, fn func(ctx context.Context, r *testhost.RDP, args []string) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1 + args), RunE: onClient(host, fn)}
	}
	return []*cobra.Command{
		loginCommand(host),
		clickCommand(host),
		simple("type USER TEXT", `Type text, one key for each letter; "\n" is Return`, 1,
			func(ctx context.Context, r *testhost.RDP, args []string) error {
				text, err := strconv.Unquote(`"` + args[0] + `"`)
				if err != nil {
					text = args[0]
				}
				n, err := r.Type(ctx, text)
				fmt.Println(n, "keys")
				return err
			}),
		simple("scroll USER NOTCHES", "Turn the wheel down, or up where NOTCHES is negative (after --)", 1,
			func(ctx context.Context, r *testhost.RDP, args []string) error {
				n, err := strconv.Atoi(args[0])
				if err != nil {
					return fmt.Errorf("NOTCHES: %w", err)
				}
				steps, err := r.Scroll(ctx, n)
				fmt.Println(steps, "steps")
				return err
			}),
		simple("move USER X Y", "Move the pointer there, along the row and then the column", 2,
			func(ctx context.Context, r *testhost.RDP, args []string) error {
				x, errX := strconv.Atoi(args[0])
				y, errY := strconv.Atoi(args[1])
				if err := errors.Join(errX, errY); err != nil {
					return err
				}
				n, err := r.MoveTo(ctx, x, y)
				fmt.Println(n, "pixels")
				return err
			}),
		simple("screenshot USER FILE.png", "Write what the client shows to a file", 1,
			func(_ context.Context, r *testhost.RDP, args []string) error { return r.Screenshot(args[0]) }),
		simple("disconnect USER", "Close the client; the session goes on", 0,
			func(ctx context.Context, r *testhost.RDP, _ []string) error { return r.Disconnect(ctx) }),
		simple("reconnect USER", "Connect to the session again", 0,
			func(ctx context.Context, r *testhost.RDP, _ []string) error { return r.Reconnect(ctx) }),
		simple("logout USER", "End the session as the user would", 0,
			func(ctx context.Context, r *testhost.RDP, _ []string) error { return r.Logout(ctx) }),
	}
}

func loginCommand(host *string) *cobra.Command {
	var opts testhost.LoginOptions
	cmd := &cobra.Command{
		Use:   "login USER",
		Short: "Log in over RDP and wait until the desktop can be used",
		Args:  cobra.ExactArgs(1),
		RunE: onHost(host, func(cmd *cobra.Command, h *testhost.Host, args []string) error {
			r, err := h.Login(cmd.Context(), args[0], opts)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "session %s on display %s\n", r.Session.ID, r.Session.Display)
			return r.Detach()
		}),
	}
	cmd.Flags().IntVar(&opts.Width, "width", 1024, "width of the desktop, in pixels")
	cmd.Flags().StringVar(&opts.Server, "server", testhost.SessionXorg, "what draws the session: Xorg or Xvnc")
	cmd.Flags().IntVar(&opts.Height, "height", 768, "height of the desktop, in pixels")
	return cmd
}

func clickCommand(host *string) *cobra.Command {
	var button uint8
	var times int
	cmd := &cobra.Command{
		Use:   "click USER",
		Short: "Click where the pointer is",
		Args:  cobra.ExactArgs(1),
		RunE: onClient(host, func(ctx context.Context, r *testhost.RDP, _ []string) error {
			return r.Click(ctx, times, button)
		}),
	}
	cmd.Flags().Uint8VarP(&button, "button", "b", 1, "1 is left, 2 middle, 3 right")
	cmd.Flags().IntVarP(&times, "times", "n", 1, "how many times")
	return cmd
}
