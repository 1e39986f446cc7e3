package cli

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/ingest"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
)

func enrollmentCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enrollment",
		Short: "Enrolment tokens: which hosts may report",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(enrollmentCreate(p), enrollmentList(p), enrollmentRevoke(p))
	return cmd
}

func enrollmentCreate(p *program) *cobra.Command {
	var uses int
	expires := quantity.Duration(directory.EnrollmentExpiry)
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
			if host != "" && !ingest.IsHostID(host) {
				return console.Usagef("--host %q: want a host_id, of letters, digits and . _ : -", host)
			}
			now := time.Now().UTC().Truncate(time.Second)
			fresh := secret.New(secret.KindEnrollment)
			e := directory.Enrollment{ID: fresh.ID, Kind: directory.EnrollsHost, UsesLeft: uses, ForHost: host, CreatedAt: now, ExpiresAt: now.Add(time.Duration(expires))}
			if user {
				e.Kind = directory.EnrollsUser
			}
			if err := e.Check(time.Duration(expires)); err != nil {
				return usage(err, cmd.Flags().Lookup(directory.FieldOf(err)).Value)
			}
			err := p.withStore(cmd, func(ctx context.Context, st *rooms.Store) error {
				return st.AddEnrollment(ctx, e, fresh.Hash())
			})
			if err != nil {
				return err
			}
			if asJSON {
				return console.JSON(cmd.OutOrStdout(), struct {
					directory.Enrollment
					Secret string `json:"enrollment_token"`
				}{e, fresh.Reveal()})
			}
			return console.Line(cmd.OutOrStdout(), fresh.Reveal())
		},
	}
	cmd.Flags().IntVar(&uses, "uses", directory.EnrollmentUses, "how many hosts it enrols")
	cmd.Flags().Var(&expires, "expires", "for how long it is good, as 90m, 24h, 7d or 2w")
	cmd.Flags().StringVar(&host, "host", "", "only for this host_id, which may be enrolled already")
	cmd.Flags().BoolVar(&user, "user", false, "for one person without root instead of a host")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func enrollmentList(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the enrolment tokens, without their secrets",
		Long:  "list shows every enrolment token, also those that have expired or are used up.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			header := []string{"ID", "KIND", "STATE", "USES LEFT", "CREATED", "EXPIRES", "FOR HOST"}
			read := func(ctx context.Context, st *rooms.Store) ([]directory.Enrollment, error) { return st.Enrollments(ctx) }
			now := time.Now()
			return printList(p, cmd, asJSON, header, read, func(e directory.Enrollment) []string {
				return []string{
					e.ID, string(e.Kind), strings.ReplaceAll(string(e.State(now)), "_", " "), strconv.Itoa(e.UsesLeft),
					e.CreatedAt.UTC().Format(time.RFC3339), e.ExpiresAt.UTC().Format(time.RFC3339), e.ForHost,
				}
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func enrollmentRevoke(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "Make an enrolment token useless at once",
		Long: `revoke takes the token's id: what stands before the dot, and what list shows. Hosts
that it has enrolled stay enrolled; host revoke ends those.`,
	}
	return revokes(p, cmd, "enrollment", func(ctx context.Context, st *rooms.Store, id string) error { return st.RemoveEnrollment(ctx, id) })
}
