package cli

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/config"
)

func healthcheckCommand(p *program) *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use:   "healthcheck [--ready]",
		Short: "Ask the server on this machine whether it is well",
		Long: `healthcheck asks the server that listens on this machine, over HTTP or HTTPS, and
fails unless it is well: for containers, whose images have no other client.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.flags.Load(config.Healthcheck)
			if err != nil {
				return err
			}
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			got, err := app.Probe(cmd.Context(), c.Listen, path, c.OwnName())
			if err != nil {
				return err
			}
			if got.Status != http.StatusOK {
				return fmt.Errorf("the server on %s answers %s with %d", c.Listen, path, got.Status)
			}
			if cmd.Flags().Changed("verbose") {
				return console.Line(cmd.OutOrStdout(), "ok")
			}
			return nil
		},
	}
	p.addFlags(cmd.Flags(), config.Healthcheck)
	cmd.Flags().BoolVar(&ready, "ready", false, "fail also while its database is away")
	return cmd
}
