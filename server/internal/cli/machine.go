package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/ingest"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

func machineCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "machine",
		Short: "Machines: which host each belongs to",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(machineMove(p))
	return cmd
}

func machineMove(p *program) *cobra.Command {
	var to string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "move MACHINE_ID… --to HOST_ID",
		Short: "Give machine_ids to another host; their data stays theirs",
		Long: `move gives machine_ids to another enrolled host, all or none. The first host to
report a machine_id owns it, and what another one reports for it is rejected with
foreign_machine and waits on that host. Where this one has taken the place of the
first (it was installed anew, or got another name), move hands the machine_id over:
from then on the new host's events are taken, those that wait among them, and the
old one's are not. What was reported stays.

Where both hosts are in use, they have been given one machine_id by mistake: leave
{user} or a name of its own in machine_id in /etc/trackerd/config.yaml of one of
them instead.

'trackerd-server host list' shows the host_ids, GET /api/machines the machine_ids.
Each move is written to the system's log.`,
		Example: `  trackerd-server machine move reception --to vm-abc123-99df6b`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !ingest.IsHostID(to) {
				return console.Usagef("--to %q: want the host_id of an enrolled host", text.ForTerminal(to))
			}
			by := app.WhoAsks() // before root goes on as the service's user
			var moved []dictionary.Moved
			err := p.withStore(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				moved, err = st.Dictionary.Move(ctx, args, to)
				return err
			})
			if err != nil {
				return adviseMove(err)
			}
			log := app.NewAudit(by, cmd.ErrOrStderr())
			for _, m := range moved {
				if m.From != m.To {
					log.Info("machine moved to another host", "machine_id", m.MachineID, "from", m.From, "to", m.To)
				}
			}
			return printMoves(cmd.OutOrStdout(), moved, asJSON)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "host_id of the host that gets them")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// adviseMove adds where the right names are found.
func adviseMove(err error) error {
	var unknown dictionary.UnknownError
	if !errors.As(err, &unknown) {
		return err
	}
	where := "GET /api/machines shows all"
	if unknown.What == "host" {
		where = "trackerd-server host list shows all"
	}
	return fmt.Errorf("%w; nothing was moved; %s", err, where)
}

func printMoves(w io.Writer, moved []dictionary.Moved, asJSON bool) error {
	if asJSON {
		return console.JSON(w, struct {
			Machines []dictionary.Moved `json:"machines"`
		}{moved})
	}
	for _, m := range moved {
		line := fmt.Sprintf("%s: moved from %s to %s", m.MachineID, m.From, m.To)
		if m.From == m.To {
			line = fmt.Sprintf("%s: belongs to %s already", m.MachineID, m.To)
		}
		if err := console.Line(w, text.ForTerminal(line)); err != nil {
			return err
		}
	}
	return nil
}
