package cli

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/doctor"
)

func doctorCommand(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the server and its database, and say what to do",
		Long: `doctor examines the database, its settings, its space and its clock, the schema,
partitions, compaction, tokens, the replica, the folder of pictures, the certificate, the
provider of single sign-on, the packages for hosts and the server's address, and says for each problem what to do about it. It changes nothing. It exits
with 1 where a check failed; a warning is no failure.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.flags.Load(config.Everywhere | config.Doctor)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), commandTimeout)
			defer cancel()
			return printReport(cmd.OutOrStdout(), doctor.Report(app.Examine(ctx, c, time.Now())), asJSON)
		},
	}
	p.addFlags(cmd.Flags(), config.Doctor)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printReport shows all checks, and fails where one did.
func printReport(w io.Writer, r api.CheckReport, asJSON bool) error {
	write := doctor.WriteText
	if asJSON {
		write = func(w io.Writer, r api.CheckReport) error { return console.JSON(w, r) }
	}
	if err := write(w, r); err != nil {
		return err
	}
	if !r.OK {
		return console.FoundError{Err: errors.New("a check failed")}
	}
	return nil
}
