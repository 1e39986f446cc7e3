package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// bases are the recipes by name.
var bases = map[string]func(debian.Suite) debian.Recipe{
	"bare": debian.Bare, "xrdp": debian.XRDP, "xfce": debian.XFCE, "gnome": debian.GNOME, "compositors": debian.Compositors,
}

// baseFlags adds the flags that choose a recipe; the function returns it once
// they are parsed.
func baseFlags(cmd *cobra.Command) func() (debian.Recipe, error) {
	suite := cmd.Flags().String("suite", string(debian.Bookworm), "release of Debian: bookworm or trixie")
	name := cmd.Flags().String("base", "xrdp", "what is on the host: bare, xrdp, xfce, gnome or compositors")
	return func() (debian.Recipe, error) {
		s, err := debian.ParseSuite(*suite)
		if err != nil {
			return debian.Recipe{}, err
		}
		recipe, ok := bases[*name]
		if !ok {
			return debian.Recipe{}, fmt.Errorf("no base %q; there are %v", *name, slices.Sorted(maps.Keys(bases)))
		}
		return recipe(s), nil
	}
}

func buildBaseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build-base",
		Short: "Build the tree that hosts are copies of, if it is not there yet, and print its path",
		Args:  cobra.NoArgs,
	}
	base := baseFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		recipe, err := base()
		if err != nil {
			return err
		}
		tree, err := debian.Build(cmd.Context(), recipe, cmd.ErrOrStderr())
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), tree)
		}
		return err
	}
	return cmd
}

func upCommand() *cobra.Command {
	var opts testhost.Options
	var forward []string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Boot a host and keep it until Ctrl-C",
		Long: `Boots a host, prints its id on standard output once it is up, and removes it
at Ctrl-C, at the end of --for, or when testhost itself is killed.

--forward ADDRESS=TARGET lets the host reach a server of this machine, as in
  --forward 127.0.0.1:8100=127.0.0.1:8100    on the host's own loopback
  --forward ` + testhost.ClientAddr + `:8100=127.0.0.1:8100      over its network`,
		Args: cobra.NoArgs,
	}
	base := baseFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if opts.Base, err = base(); err != nil {
			return err
		}
		opts.Progress = cmd.ErrOrStderr()
		return up(cmd, opts, forward)
	}
	cmd.Flags().StringVar(&opts.Hostname, "hostname", "testhost", "name of the host")
	cmd.Flags().DurationVar(&opts.MaxLife, "for", 4*time.Hour, "remove the host after this time")
	cmd.Flags().StringVar(&opts.Memory, "memory", "2G", "how much the host may write, in memory")
	cmd.Flags().StringArrayVar(&forward, "forward", nil, "ADDRESS=TARGET: let the host reach a server (repeatable)")
	return cmd
}

func up(cmd *cobra.Command, opts testhost.Options, forward []string) (err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), opts.MaxLife)
	defer cancel()
	began := time.Now()
	h, err := testhost.Start(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	for _, f := range forward {
		addr, target, ok := strings.Cut(f, "=")
		if !ok {
			return fmt.Errorf("--forward %q: want ADDRESS=TARGET", f)
		}
		fw, err := h.Forward(ctx, addr, target)
		if err != nil {
			return err
		}
		defer fw.Close()
	}
	fmt.Fprintln(cmd.OutOrStdout(), h.ID())
	fmt.Fprintf(cmd.ErrOrStderr(), `testhost: host %s is up after %.1f s. From another terminal:
  testhost -H %[1]s exec -- bash          look around in it
  testhost -H %[1]s adduser alice         make a user …
  testhost -H %[1]s login alice           … and log in over RDP
testhost: Ctrl-C removes it.
`, h.ID(), time.Since(began).Seconds())
	<-ctx.Done()
	fmt.Fprintf(cmd.ErrOrStderr(), "testhost: removing host %s\n", h.ID())
	return nil
}

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the hosts that are up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ids, err := testhost.List()
			for _, id := range ids {
				fmt.Fprintln(cmd.OutOrStdout(), id)
			}
			return err
		},
	}
}

func sweepCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sweep",
		Short: "Remove hosts that killed programs left behind",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ids, err := testhost.Sweep(cmd.Context())
			for _, id := range ids {
				fmt.Fprintln(cmd.OutOrStdout(), "removed", id)
			}
			return err
		},
	}
}

// attach finds the host that the flag names, or the only one.
func attach(id string) (*testhost.Host, error) {
	if id != "" {
		return testhost.Attach(id)
	}
	ids, err := testhost.List()
	if err != nil {
		return nil, err
	}
	switch len(ids) {
	case 0:
		return nil, errors.New("no host is up; boot one with: testhost up")
	case 1:
		return testhost.Attach(ids[0])
	}
	return nil, fmt.Errorf("several hosts are up, choose one with --host: %s", strings.Join(ids, " "))
}

// onHost runs fn with the host that the flag names.
func onHost(host *string, fn func(cmd *cobra.Command, h *testhost.Host, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		h, err := attach(*host)
		if err != nil {
			return err
		}
		return errors.Join(fn(cmd, h, args), h.Close())
	}
}

func hostCommands(host *string) []*cobra.Command {
	var user string
	execute := &cobra.Command{
		Use:     "exec -- PROGRAM [ARGUMENT…]",
		Short:   "Run a program on the host",
		Example: "  testhost exec -- systemctl status xrdp\n  testhost exec --user alice -- id",
		Args:    cobra.MinimumNArgs(1),
		RunE: onHost(host, func(cmd *cobra.Command, h *testhost.Host, args []string) error {
			res, err := h.Exec(cmd.Context(), testhost.Command{Args: args, User: user, Terminal: true})
			if err == nil && res.Code != 0 {
				return exitError(max(res.Code, 1))
			}
			return err
		}),
	}
	execute.Flags().StringVarP(&user, "user", "u", "", "run it as this user; root unless given")
	copyIn := &cobra.Command{
		Use:   "cp FILE PATH",
		Short: "Copy a file of this machine to the host",
		Args:  cobra.ExactArgs(2),
		RunE: onHost(host, func(cmd *cobra.Command, h *testhost.Host, args []string) error {
			return h.CopyIn(cmd.Context(), args[0], args[1])
		}),
	}
	var showPassword bool
	addUser := &cobra.Command{
		Use:   "adduser NAME",
		Short: "Make a user who can log in over RDP",
		Args:  cobra.ExactArgs(1),
		RunE: onHost(host, func(cmd *cobra.Command, h *testhost.Host, args []string) error {
			password, err := h.AddUser(cmd.Context(), args[0])
			if err == nil && showPassword {
				fmt.Fprintln(cmd.OutOrStdout(), password)
			}
			return err
		}),
	}
	addUser.Flags().BoolVar(&showPassword, "show-password", false, "print the password that was made")
	install := &cobra.Command{
		Use:   "install PACKAGE.deb…",
		Short: "Install Debian packages on the host with apt",
		Args:  cobra.MinimumNArgs(1),
		RunE: onHost(host, func(cmd *cobra.Command, h *testhost.Host, args []string) error {
			out, err := h.Install(cmd.Context(), args...)
			fmt.Fprint(os.Stderr, out)
			return err
		}),
	}
	return []*cobra.Command{execute, copyIn, addUser, install}
}
