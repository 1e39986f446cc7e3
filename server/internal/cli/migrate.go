package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/store/db"
)

// migrateTimeout bounds a migration, which may have to rewrite a large table.
const migrateTimeout = 24 * time.Hour

func migrateCommand(p *program) *cobra.Command {
	var dryRun, asJSON, distributed bool
	cmd := &cobra.Command{
		Use:   "migrate [--dry-run] [--distributed]",
		Short: "Bring the database's schema up to date, and say what that took",
		Long: `migrate applies the migrations that the database lacks, all or none. serve and the
other commands do so by themselves, unless told --no-migrate: then they wait, or
refuse, until this command was run.

--distributed also spreads what grows with the fleet over the workers of a Citus
cluster, which must be set up before. Servers notice by themselves: their connections
end once, and hosts send again. It is not undone by leaving the option away.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.flags.Load(config.Everywhere)
			if err != nil {
				return err
			}
			c.Database.NoMigrate = false
			ctx, cancel := context.WithTimeout(cmd.Context(), migrateTimeout)
			defer cancel()
			var schema db.Schema
			var spread string
			var shards int
			err = app.WithDatabase(ctx, c, quiet(cmd.ErrOrStderr()), app.ForMaker, func(ctx context.Context, d *app.Database) (err error) {
				if schema, err = d.Store.Schema(ctx); err != nil || dryRun {
					return err
				}
				if err := d.Store.Migrate(ctx); err != nil || !distributed {
					return err
				}
				var changed bool
				shards, changed, err = d.Store.Distribute(ctx)
				if spread = fmt.Sprintf("the database is spread over %d shards now", shards); !changed {
					spread = fmt.Sprintf("nothing to do: the database is spread over %d shards", shards)
				}
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				err := console.JSON(cmd.OutOrStdout(), struct {
					db.Schema
					Applied bool `json:"applied"`
					// Shards is in how many --distributed has the database now.
					Shards int `json:"shards,omitempty"`
				}{schema, !dryRun, shards})
				return errors.Join(err, tooNew(schema))
			}
			if err := printSchema(cmd, schema, dryRun); err != nil || spread == "" {
				return err
			}
			return console.Line(cmd.OutOrStdout(), spread)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be applied")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&distributed, "distributed", false, "also spread the database over the workers of its Citus cluster")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "distributed")
	return cmd
}

// tooNew returns an error where a newer program has changed the schema.
func tooNew(schema db.Schema) error {
	if schema.Version > schema.Known {
		return db.NewerSchemaError{Have: schema.Version, Know: schema.Known}
	}
	return nil
}

func printSchema(cmd *cobra.Command, schema db.Schema, dryRun bool) error {
	verb := "applied"
	if dryRun {
		verb = "would apply"
	}
	var err error
	for _, name := range schema.Pending {
		err = errors.Join(err, console.Line(cmd.OutOrStdout(), verb+" "+name))
	}
	switch {
	case schema.Version > schema.Known:
		return errors.Join(err, tooNew(schema))
	case len(schema.Pending) == 0:
		return console.Line(cmd.OutOrStdout(), fmt.Sprintf("nothing to do: the schema has version %d", schema.Version))
	case dryRun:
		return err
	}
	return errors.Join(err, console.Line(cmd.OutOrStdout(), fmt.Sprintf("the schema has version %d now", schema.Known)))
}
