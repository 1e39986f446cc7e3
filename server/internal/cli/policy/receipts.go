package policy

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/rooms"
)

// receiptsAtOnce is how many receipts are read at a time.
const receiptsAtOnce = 1000

// Receipts returns the command trackerd-server receipts.
func Receipts(stores Stores) *cobra.Command {
	var notice string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "receipts [--notice HASH]",
		Short: "List who has confirmed to have read which notice",
		Long: `receipts lists what hosts told: a program of that account confirmed that the notice of
that version, which is a hash of its text, was read. It says no more than that.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := []api.ReceiptRow{}
			err := stores(cmd, func(ctx context.Context, st *rooms.Store) error {
				ctx, look := looked.BeginCommand(ctx, st.Access, looked.At{What: api.LookedReceipts})
				for f := (policies.ReceiptFilter{Notice: notice, Limit: receiptsAtOnce}); ; {
					page, err := st.Policies.Receipts(ctx, f)
					for _, r := range page {
						list = append(list, api.ReceiptRow{
							MachineID: r.MachineID, Hostname: r.Hostname, Username: r.Username, Notice: r.Notice,
							ReadAt: r.ReadAt.UTC(), ReceivedAt: r.ReceivedAt.UTC(), HostID: r.HostID,
						})
					}
					switch {
					case err != nil:
						return err
					case len(page) < receiptsAtOnce:
						return look.Keep(ctx)
					}
					f.AfterMachine, f.AfterNotice = page[len(page)-1].MachineID, page[len(page)-1].Notice
				}
			})
			if err != nil {
				return err
			}
			if asJSON {
				return console.JSON(cmd.OutOrStdout(), list)
			}
			var rows [][]string
			for _, r := range list {
				rows = append(rows, []string{r.MachineID, r.Username, r.Hostname, r.ReadAt.Format(time.RFC3339), r.Notice})
			}
			return console.Table(cmd.OutOrStdout(), []string{"MACHINE_ID", "USER", "HOST", "READ", "NOTICE"}, rows)
		},
	}
	cmd.Flags().StringVar(&notice, "notice", "", "only those of this version of the notice")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
