package person

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/report"
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
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(raw))
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	if bytes.ContainsRune(first, ';') {
		r.Comma = ';'
	}
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("the header row: %w", err)
	}
	machine, person := slices.Index(header, "machine_id"), slices.Index(header, "person")
	if machine < 0 || person < 0 {
		return nil, errors.New("want a header row with the columns machine_id and person")
	}
	c := collected{place: map[string]int{}, seen: map[string]bool{}}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return c.list, nil
		}
		if err != nil {
			return nil, err
		}
		if err := c.add(row[machine], strings.TrimSpace(row[person])); err != nil {
			line, _ := r.FieldPos(machine)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// collected are assignments in the order in which people are first named.
type collected struct {
	list  []people.Assignment
	place map[string]int
	seen  map[string]bool
}

func (c *collected) add(machineID, person string) error {
	switch {
	case machineID == "" || len(machineID) > api.MaxMachineIDBytes || !text.Printable(machineID):
		return errors.New("no machine_id")
	case person == "" || len(person) > api.MaxLabelBytes || !text.Printable(person):
		return fmt.Errorf("person: want an id or a name, at most %d bytes of printable characters", api.MaxLabelBytes)
	case c.seen[machineID]:
		return fmt.Errorf("the machine_id %q is there twice", text.ForTerminal(machineID))
	}
	c.seen[machineID] = true
	at, known := c.place[person]
	if !known {
		at = len(c.list)
		c.place[person] = at
		a := people.Assignment{Label: person}
		if id, err := report.ParsePersonID(person); err == nil {
			a = people.Assignment{ID: int64(id)}
		}
		c.list = append(c.list, a)
	}
	c.list[at].MachineIDs = append(c.list[at].MachineIDs, machineID)
	return nil
}
