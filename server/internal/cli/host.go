package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

func hostCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "host",
		Short: "Hosts: which report, and since when one is silent",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(hostList(p), hostLabel(p), hostRevoke(p))
	return cmd
}

// listedHost is a host as host list shows it.
type listedHost struct {
	directory.HostState
	// SilentSeconds is for how long nothing was seen of it.
	SilentSeconds int64 `json:"silent_seconds"`
}

func hostList(p *program) *cobra.Command {
	var silentFor quantity.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [--silent-for 24h]",
		Short: "List the enrolled hosts",
		Long: `list shows each enrolled host, how many machine_ids it has reported, when the
newest of its events ended, and for how long it has been silent since (a host that
has reported nothing: since it was enrolled). A revoked host is marked as such. AGENT is
the version of its agent, and CLOCK by how many seconds its clock is ahead (+) or
behind (-), from 2 s on; "?" where the agent reports neither, as older ones do. --json
has the last upload, the last contact and what cannot be seen there as well.`,
		Example: `  trackerd-server host list
  trackerd-server host list --silent-for 1d --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			header := []string{"HOST_ID", "KIND", "HOSTNAME", "LABEL", "ENROLLED", "MACHINES", "LAST SEEN", "SILENT FOR", "AGENT", "CLOCK", "STATE"}
			return printList(p, cmd, asJSON, header, func(ctx context.Context, st *rooms.Store) ([]listedHost, error) {
				all, err := st.Hosts(ctx)
				return silentHosts(all, time.Now(), time.Duration(silentFor)), err
			}, hostRow)
		},
	}
	cmd.Flags().Var(&silentFor, "silent-for", "only hosts that have been silent for at least this long")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// silentHosts are those that have been silent for at least that long.
func silentHosts(all []directory.HostState, now time.Time, atLeast time.Duration) []listedHost {
	hosts := []listedHost{}
	for _, h := range all {
		since := h.EnrolledAt
		if h.LastSeen != nil {
			since = *h.LastSeen
		}
		silent := max(0, now.Sub(since))
		if silent >= atLeast {
			hosts = append(hosts, listedHost{h, int64(silent / time.Second)})
		}
	}
	return hosts
}

func hostRow(h listedHost) []string {
	seen := "never"
	if h.LastSeen != nil {
		seen = h.LastSeen.UTC().Format(time.RFC3339)
	}
	state := "enrolled"
	if h.Revoked {
		state = "revoked"
	}
	return []string{
		h.HostID, string(h.Kind), h.Hostname, h.Label, h.EnrolledAt.UTC().Format(time.RFC3339), strconv.FormatInt(h.Machines, 10),
		seen, quantity.DurationText(time.Duration(h.SilentSeconds) * time.Second), cmp.Or(h.AgentVersion, unknown), clockText(h.ClockOffset), state,
	}
}

// unknown stands for what an agent does not report.
const unknown = "?"

// clockText returns by how much a clock differs, where that is not the network's doing.
func clockText(offset *int64) string {
	switch {
	case offset == nil:
		return unknown
	case max(*offset, -*offset) < api.ClockNoise:
		return "ok"
	}
	return fmt.Sprintf("%+d s", *offset)
}

func hostLabel(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "label HOST_ID LABEL",
		Short: "Set what a host is called, whatever it calls itself",
		Long: `label sets what host list and the API show beside a host's name, which the host sends
itself and changes when it is renamed. The label stays until it is set anew; an empty
one takes it away.`,
		Example: `  trackerd-server host label vm-abc123 "Reception, left"`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			label, ok := text.Label(args[1], api.MaxLabelBytes)
			if !ok {
				return console.Usagef("LABEL: want at most %d bytes of printable characters", api.MaxLabelBytes)
			}
			var host directory.HostState
			err := p.withStore(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				host, err = st.LabelHost(ctx, strings.ToValidUTF8(args[0], "?"), label)
				return err
			})
			switch {
			case errors.Is(err, db.ErrNotFound):
				return noHost(args[0])
			case err != nil:
				return err
			case asJSON:
				return console.JSON(cmd.OutOrStdout(), host)
			case label == "":
				return console.Line(cmd.OutOrStdout(), text.ForTerminal(host.HostID)+" has no label")
			}
			return console.Line(cmd.OutOrStdout(), fmt.Sprintf("%s is called %s", text.ForTerminal(host.HostID), text.ForTerminal(label)))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// noHost is the error for a host that there is not.
func noHost(id string) error {
	return fmt.Errorf("there is no host %q; trackerd-server host list shows all", text.ForTerminal(id))
}

func hostRevoke(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "revoke HOST_ID",
		Short: "End a host's credential; its data stays",
		Long: `revoke ends the credential of a host: its next upload gets 401, and the host keeps
its records until it is enrolled again. What it has reported stays, and its
machine_ids stay its own. To let it report again, make a token for it with
enrollment create --host HOST_ID.`,
		Example: `  trackerd-server host revoke vm-abc123`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var was directory.HostState
			err := p.withStore(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				// No host_id has what is put for what is no UTF-8.
				was, err = st.RevokeHost(ctx, strings.ToValidUTF8(args[0], "?"))
				return err
			})
			switch {
			case errors.Is(err, db.ErrNotFound):
				return noHost(args[0])
			case err != nil:
				return err
			case asJSON:
				return console.JSON(cmd.OutOrStdout(), was)
			}
			return console.Line(cmd.OutOrStdout(), fmt.Sprintf("revoked %s: its next upload gets 401; what it reported stays (machines: %d)",
				text.ForTerminal(was.HostID), was.Machines))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
