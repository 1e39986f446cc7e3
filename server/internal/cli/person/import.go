package person

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/assign"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

// maxImportBytes bounds a file: 100,000 lines of usual length.
const maxImportBytes = 16 << 20

func importCommand(stores Stores) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Join many accounts at once, as a CSV file has it",
		Long: `import reads a CSV file, or standard input as -, with a header row and the columns
machine_id and person; others are not looked at. Commas or semicolons may part them.

person is an id, as p17, or a name: all accounts with one name are made one person, who
is called so from then on. Whoever is called so already is meant. All lines are done or
none; what is so already stays, so that a file may be read again after it has grown.`,
		Example: `  trackerd-server person import people.csv`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			assignments, err := readFile(cmd, args[0])
			if err != nil {
				return err
			}
			var done people.Imported
			err = stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				done, err = st.People.Import(ctx, assignments)
				return err
			})
			switch {
			case err != nil:
				return advise(err, args[0])
			case asJSON:
				return console.JSON(cmd.OutOrStdout(), done)
			}
			return console.Line(cmd.OutOrStdout(), fmt.Sprintf("people: %d, accounts joined: %d", done.People, done.Joined))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func readFile(cmd *cobra.Command, name string) ([]people.Assignment, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxImportBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxImportBytes {
		return nil, console.Usagef("%s: larger than %d MiB; import it in parts", text.ForTerminal(name), maxImportBytes>>20)
	}
	list, err := readAssignments(raw)
	if err != nil {
		return nil, console.Usagef("%s: %w", text.ForTerminal(name), err)
	}
	return list, nil
}

// readAssignments reads a CSV file with the columns machine_id and person.
func readAssignments(raw []byte) ([]people.Assignment, error) {
	rows, err := assign.FromCSV(raw)
	if err != nil {
		return nil, err
	}
	list, err := assign.Assignments(rows)
	var wrong assign.RowError
	if errors.As(err, &wrong) {
		err = fmt.Errorf("line %d: %w", rows[wrong.At].Line, wrong.Err)
	}
	return list, err
}
