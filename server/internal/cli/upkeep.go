package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/upkeep"
)

// checkTimeout bounds a check, where a year of a large fleet is read in a few hours, and
// other commands that read much.
const checkTimeout = 24 * time.Hour

func rollupsCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollups",
		Short: "Roll-ups: the sums that reports are made of",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(rollupsRun(p, "check", false), rollupsRun(p, "repair", true))
	return cmd
}

func rollupsRun(p *program, name string, repair bool) *cobra.Command {
	short, long := "Compare all roll-ups with the events that they sum up",
		`check adds up all events that are kept and compares. It changes nothing, and fails
where a roll-up is wrong. Estimated are those that were stored before it was known how
much of an application's time somebody was there; they are not compared in that. The
server may go on meanwhile.`
	if repair {
		short, long = "Make roll-ups anew that differ from their events",
			`repair adds up all events that are kept, and makes every roll-up anew that differs
or is estimated. The server may go on meanwhile.`
	}
	var asJSON bool
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var found upkeep.RollupCheck
			err := p.storeWithin(checkTimeout)(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				found, err = st.CheckRollups(ctx, repair)
				return err
			})
			if err != nil {
				return err
			}
			return printRollups(cmd.OutOrStdout(), found, repair, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printRollups prints what a check has found, and fails where something is wrong
// still.
func printRollups(w io.Writer, found upkeep.RollupCheck, repair, asJSON bool) error {
	var err error
	if asJSON {
		err = console.JSON(w, found)
	} else {
		err = console.Line(w, fmt.Sprintf("%d machines, %d events, %d roll-ups, %d wrong, %d estimated",
			found.Machines, found.Events, found.Rollups, found.Wrong, found.Estimated))
	}
	if err == nil && found.Wrong > 0 && !repair {
		err = fmt.Errorf("%d roll-ups are wrong; mend them with: trackerd-server rollups repair", found.Wrong)
	}
	return err
}

// compactTimeout bounds compacting by hand: a year of a large fleet takes hours.
const compactTimeout = 7 * 24 * time.Hour

func compactCommand(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Compact the events of days that are over now",
		Long: `compact packs the events of all days that have been over for --compact-after-days by
machine and hour, into a fraction of their space. What anybody asks for stays the
same. The server does so by itself every quarter of an hour, and may go on
meanwhile; with this an older database need not wait, or a server is spared the work.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.flags.Load(config.Everywhere)
			if err != nil {
				return err
			}
			if c.CompactAfter == 0 {
				return console.Usagef("nothing is compacted with --compact-after-days 0: name another number of days")
			}
			var done upkeep.Compacted
			err = withStoreFor(cmd, c, compactTimeout, func(ctx context.Context, st *rooms.Store) (err error) {
				done, err = st.Compact(ctx)
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return console.JSON(cmd.OutOrStdout(), done)
			}
			return console.Line(cmd.OutOrStdout(), fmt.Sprintf("%d events compacted into %d bytes, %d partitions dropped", done.Events, done.Bytes, len(done.Dropped)))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
