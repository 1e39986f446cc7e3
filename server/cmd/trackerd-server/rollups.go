package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/store"
)

// checkTimeout bounds a check: a year of a large fleet is read in a few hours.
const checkTimeout = 24 * time.Hour

func rollupsCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollups",
		Short: "Roll-ups: the sums that reports are made of",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(rollupsRun(s, "check", false), rollupsRun(s, "repair", true))
	return cmd
}

func rollupsRun(s *settings, name string, repair bool) *cobra.Command {
	short, long := "Compare all roll-ups with the events that they sum up",
		`check adds up all events that are kept and compares. It changes nothing, and fails
where a roll-up is wrong. The server may go on meanwhile.`
	if repair {
		short, long = "Make roll-ups anew that differ from their events",
			`repair adds up all events that are kept, and makes every roll-up anew that differs.
The server may go on meanwhile.`
	}
	var asJSON bool
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var found store.RollupCheck
			err := s.withStoreFor(cmd, checkTimeout, func(ctx context.Context, st *store.Store) (err error) {
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

// printRollups says what a check has found, and fails where something is wrong
// still.
func printRollups(w io.Writer, found store.RollupCheck, repair, asJSON bool) error {
	var err error
	if asJSON {
		err = printJSON(w, found)
	} else {
		err = printLine(w, fmt.Sprintf("%d machines, %d events, %d roll-ups, %d wrong",
			found.Machines, found.Events, found.Rollups, found.Wrong))
	}
	if err == nil && found.Wrong > 0 && !repair {
		err = fmt.Errorf("%d roll-ups are wrong; mend them with: trackerd-server rollups repair", found.Wrong)
	}
	return err
}
