package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"activity-tracker.example/hostd/text"
)

func webCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "web",
		Short: "Print a link to your own page on the server",
		Long: `web prints a link that opens your own page on the server: what it keeps of this account,
and who looked at it. Open it in a browser within a minute; it works once, and for
whoever has it, so give it to nobody. The page stays open for an hour. Of others you see
nothing there. Your organisation can switch this off.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			l, err := ask.WebLink(c.Context())
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), l)
			}
			// The link alone on standard output, for a script that opens it.
			if _, err := fmt.Fprintln(c.ErrOrStderr(), "Open this within a minute; it works once:"); err != nil {
				return fmt.Errorf("print the answer: %w", err)
			}
			return printText(c.OutOrStdout(), text.Line(l.URL, 0)+"\n")
		},
	}
}
