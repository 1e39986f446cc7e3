package cli

import (
	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/config"
)

func serveCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take in events and answer questions, until told to stop",
		Long: `serve takes in what hosts report and answers the REST API. It listens at once and
answers 503 until the database is there. SIGTERM or Ctrl-C ends it after the
requests that it has accepted. With --shutdown-delay it goes on for that long first,
and only /readyz answers 503, so that a load balancer sends requests elsewhere before
they would be refused; a second signal ends the delay.

It speaks TLS with a certificate from files or from an authority by ACME; without
either it speaks plain HTTP, for a proxy in front of it that does TLS. Lists have
commas in the environment.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.flags.Load(config.Everywhere | config.Serve)
			if err != nil {
				return err
			}
			if err := app.Check(c); err != nil {
				return config.Wrong(err)
			}
			return app.Run(cmd.Context(), c, p.version, app.NewLogger(c.Log, cmd.ErrOrStderr()))
		},
	}
	p.addFlags(cmd.Flags(), config.Serve)
	return cmd
}
