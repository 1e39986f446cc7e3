package policy

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/preview"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

// showPreview prints what a policy would do to the titles of the last week.
func showPreview(stores Stores, cmd *cobra.Command, document policy.Document, asJSON bool) error {
	var found api.TitlePreview
	err := stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
		ctx, look := looked.BeginCommand(ctx, st.Access, looked.At{What: api.LookedPreview})
		if found, err = preview.New(st.Reader, st.Directory, time.Now).Titles(ctx, document); err != nil {
			return err
		}
		return look.Keep(ctx)
	})
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(cmd.OutOrStdout(), found)
	}
	var rows [][]string
	for _, a := range found.Apps {
		example := ""
		if len(a.Examples) > 0 {
			example = a.Examples[0].Title + " -> " + a.Examples[0].With
		}
		rows = append(rows, []string{a.App, titles(a.Kept), titles(a.Replaced), titles(a.Dropped), example})
	}
	if err := console.Table(cmd.OutOrStdout(), []string{"APPLICATION", "KEPT", "REPLACED", "DROPPED", "EXAMPLE"}, rows); err != nil {
		return err
	}
	return console.Line(cmd.OutOrStdout(), summed(found))
}

func titles(s api.TitleShare) string { return strconv.FormatInt(s.Titles, 10) }

// summed is what was looked at, in words.
func summed(found api.TitlePreview) string {
	words := fmt.Sprintf("Different titles of %d machines from %s to %s.", found.Machines, found.From.Format(time.RFC3339), found.To.Format(time.RFC3339))
	if found.Cut {
		words += " There was too much to look at all of it."
	}
	if found.AppsLeftOff > 0 {
		words += fmt.Sprintf(" %d applications more are not listed.", found.AppsLeftOff)
	}
	return text.ForTerminal(words)
}
