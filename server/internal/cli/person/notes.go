package person

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/rooms"
)

func notesCommand(stores Stores) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "notes PERSON",
		Short: "List what a person wrote about their own time",
		Long: `notes lists what a person, named by id or by an account of theirs, wrote to explain spans of
their own time, with answers; times are in UTC. That it was looked at is written down.`,
		Example: "  trackerd-server person notes p17",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all := []api.Note{}
			err := stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				all, err = notesOf(ctx, st, args[0])
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return console.JSON(cmd.OutOrStdout(), all)
			}
			rows := make([][]string, len(all))
			for i := range all {
				n := &all[i]
				answer := ""
				if n.Answer != nil {
					answer = *n.Answer
				}
				rows[i] = []string{n.Start.Format(time.RFC3339), n.End.Format(time.RFC3339), n.MachineID, n.Text, answer}
			}
			return console.Table(cmd.OutOrStdout(), []string{"FROM", "UNTIL", "MACHINE_ID", "NOTE", "ANSWER"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// notesOf returns all notes of a person when it is durable who looks.
func notesOf(ctx context.Context, st *rooms.Store, name string) ([]api.Note, error) {
	p, err := Find(ctx, st, name)
	if err != nil {
		return nil, err
	}
	all := []api.Note{}
	for after := (notes.Place{}); ; {
		page, next, err := st.Notes.OfMachines(ctx, p.Keys(), after)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if after = next; after == (notes.Place{}) {
			break
		}
	}
	by := audit.ActorOf(ctx)
	return all, st.Access.Write(ctx, access.Look{
		Reader: access.Reader{Kind: access.Command, ID: by.ID, Name: by.Name}, What: api.LookedNotes, Machines: access.SetOf(p.Keys()...), Many: len(p.Accounts) > 1,
	})
}
