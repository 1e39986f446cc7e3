package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/store"
)

// compactTimeout bounds compacting by hand: a year of a large fleet takes hours.
const compactTimeout = 7 * 24 * time.Hour

func compactCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Compact the events of days gone quiet now",
		Long: `compact packs the events of all days that have been over for --compact-after-days by
machine and hour, into a fraction of their space. What anybody asks for stays the
same. The server does so by itself every quarter of an hour, and may go on
meanwhile; with this an older database need not wait, or a server is spared the work.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var done store.Compacted
			err := s.withStoreFor(cmd, compactTimeout, func(ctx context.Context, st *store.Store) (err error) {
				if s.compactAfter == 0 {
					return usageError{errors.New("nothing is compacted with --compact-after-days 0: name another number of days")}
				}
				done, err = st.Compact(ctx)
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), done)
			}
			return printLine(cmd.OutOrStdout(), fmt.Sprintf("%d events compacted into %d bytes, %d partitions dropped", done.Events, done.Bytes, len(done.Dropped)))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
