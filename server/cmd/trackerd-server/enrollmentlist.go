package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/store"
)

func enrollmentList(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the enrolment tokens, without their secrets",
		Long:  "list shows every enrolment token, also those that have expired or are used up.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tokens := []store.Enrollment{}
			err := s.withStore(cmd, func(ctx context.Context, st *store.Store) error {
				list, err := st.Enrollments(ctx)
				tokens = append(tokens, list...)
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), tokens)
			}
			now := time.Now()
			rows := make([][]string, len(tokens))
			for i, e := range tokens {
				rows[i] = []string{
					e.ID, string(e.Kind), enrollmentState(e, now), strconv.Itoa(e.UsesLeft),
					e.CreatedAt.UTC().Format(time.RFC3339), e.ExpiresAt.UTC().Format(time.RFC3339), e.ForHost,
				}
			}
			return printTable(cmd.OutOrStdout(), []string{"ID", "KIND", "STATE", "USES LEFT", "CREATED", "EXPIRES", "FOR HOST"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func enrollmentState(e store.Enrollment, now time.Time) string {
	switch {
	case !e.ExpiresAt.After(now):
		return "expired"
	case e.UsesLeft == 0:
		return "used up"
	}
	return "good"
}

func enrollmentRevoke(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Make an enrolment token useless at once",
		Long: `revoke takes the token's id: what stands before the dot, and what list shows. Hosts
that it has enrolled stay enrolled; host revoke ends those.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			// The whole token works as well; only its id is used.
			id, _, _ := strings.Cut(args[0], ".")
			err := s.withStore(cmd, func(ctx context.Context, st *store.Store) error { return st.RemoveEnrollment(ctx, id) })
			if errors.Is(err, store.ErrNotFound) {
				return errors.New("there is no such token; trackerd-server enrollment list shows all")
			}
			return err
		},
	}
}
