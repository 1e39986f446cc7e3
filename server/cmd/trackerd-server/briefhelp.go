package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// briefHelp shows the options of every command in the help of the program alone: a
// command's own are three among fourteen of these.
func briefHelp(root *cobra.Command) {
	usual := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd == root {
			usual(cmd, args)
			return
		}
		root.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = true })
		defer root.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = false })
		usual(cmd, args)
		fmt.Fprintf(cmd.OutOrStdout(), "\nOptions of every command (--database-url, --state-dir, --env-file, …): %s --help\n", root.Name())
	})
}
