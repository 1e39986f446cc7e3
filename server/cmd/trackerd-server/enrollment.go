package main

import (
	"context"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/ingest"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store"
)

const (
	// defaultUses is one host a token: a leaked one is then worth little.
	defaultUses = 1
	// maxUses bounds a token for a whole fleet.
	maxUses = 100_000
	// defaultExpiry is a working day, and the night.
	defaultExpiry = 24 * time.Hour
	// minExpiry leaves time to type it in; maxExpiry is a year.
	minExpiry = time.Minute
	maxExpiry = 365 * oneDay
)

func notPrintable(c rune) bool { return !unicode.IsPrint(c) }

func enrollmentCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enrollment",
		Short: "Enrolment tokens: which hosts may report",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(enrollmentCreate(s), enrollmentList(s), enrollmentRevoke(s))
	return cmd
}

func enrollmentCreate(s *settings) *cobra.Command {
	var uses int
	expires := span(defaultExpiry)
	var host string
	var user, asJSON bool
	cmd := &cobra.Command{
		Use:   "create [--uses N] [--expires 24h]",
		Short: "Make an enrolment token and print it, this once",
		Long: `create prints a new enrolment token alone on standard output. On the host,
as root, where it asks for the token:

  trackctl enroll URL -

With --user the token enrols one person who measures themselves without root, by
'trackctl --user enroll URL -', and no host.

A host that is enrolled already can't be enrolled again with just any token,
since its machines would change hands. When it was installed anew, make a token
for it with --host; the 409 that it got names its host_id.`,
		Example: `  trackerd-server enrollment create
  trackerd-server enrollment create --uses 50 --expires 7d`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if uses < 1 || uses > maxUses {
				return usagef("--uses %d: want 1 to %d", uses, maxUses)
			}
			if d := time.Duration(expires); d < minExpiry || d > maxExpiry {
				return usagef("--expires %v: want %s to %s", &expires, spanText(minExpiry), spanText(maxExpiry))
			}
			if host != "" && !ingest.IsHostID(host) {
				return usagef("--host %q: want a host_id, of letters, digits and . _ : -", host)
			}
			now := time.Now().UTC().Truncate(time.Second)
			fresh := secret.New(secret.KindEnrollment)
			e := store.Enrollment{ID: fresh.ID, Kind: store.EnrollsHost, UsesLeft: uses, ForHost: host, CreatedAt: now, ExpiresAt: now.Add(time.Duration(expires))}
			if user {
				e.Kind = store.EnrollsUser
			}
			err := s.withStore(cmd, func(ctx context.Context, st *store.Store) error {
				return st.AddEnrollment(ctx, e, fresh.Hash())
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), struct {
					store.Enrollment
					Secret string `json:"enrollment_token"`
				}{e, fresh.Reveal()})
			}
			return printLine(cmd.OutOrStdout(), fresh.Reveal())
		},
	}
	cmd.Flags().IntVar(&uses, "uses", defaultUses, "how many hosts it enrols")
	cmd.Flags().Var(&expires, "expires", "for how long it is good, as 90m, 24h, 7d or 2w")
	cmd.Flags().StringVar(&host, "host", "", "only for this host_id, which may be enrolled already")
	cmd.Flags().BoolVar(&user, "user", false, "for one person without root instead of a host")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
