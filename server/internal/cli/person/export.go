package person

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/export"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
)

// toStandard is the file that stands for standard output.
const toStandard = "-"

func exportCommand(stores Stores) *cobra.Command {
	return &cobra.Command{
		Use:   "export PERSON FILE",
		Short: "Write everything that is kept about a person into a ZIP archive",
		Long: `export writes everything that is kept about a person, named by id or by an account of
theirs, as CSV and JSON into a ZIP archive (or to standard output, -): accounts, groups,
records, sums, receipts, pictures, notes, who looked, what was changed about them, and policy that names
them. README.txt in it tells what is where. FILE must not exist, and is readable by you
alone. That it was exported is written down, as a look at the person.`,
		Example: "  trackerd-server person export p17 anna.zip",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return stores(cmd, func(ctx context.Context, st *rooms.Store) error {
				p, err := Find(ctx, st, args[0])
				if err != nil {
					return err
				}
				exports := export.Exports{People: st.People, Reader: st.Reader, Dossier: st.Dossier, Looked: looked.NewList(st.Access, st.Audit, st.Directory, st.People), Screenshots: st.Screenshots, Notes: st.Notes}
				x, err := exports.Find(ctx, directory.Scope{}, report.PersonID(p.ID))
				if err != nil {
					return advise(err, args[0])
				}
				by := audit.ActorOf(ctx)
				err = st.Access.Write(ctx, access.Look{
					Reader: access.Reader{Kind: access.Command, ID: by.ID, Name: by.Name}, What: api.LookedExport, Machines: access.SetOf(x.Keys()...),
				})
				if err != nil {
					return err
				}
				return writeFile(cmd, args[1], func(w io.Writer) error { return x.Write(ctx, w) })
			})
		},
	}
}

// writeFile writes a new file, or to standard output. A file that did not become whole is
// removed.
func writeFile(cmd *cobra.Command, path string, write func(io.Writer) error) (err error) {
	if path == toStandard {
		return write(cmd.OutOrStdout())
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // again, where it was closed
			err = errors.Join(err, os.Remove(path))
		}
	}()
	buffer := bufio.NewWriterSize(f, fileBuffer)
	if err := write(buffer); err != nil {
		return err
	}
	if err := errors.Join(buffer.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return console.Line(cmd.OutOrStdout(), path)
}

// fileBuffer is how much is written at once.
const fileBuffer = 64 << 10
