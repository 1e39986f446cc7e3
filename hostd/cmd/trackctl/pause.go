package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/hostd/control"
)

const (
	// usualPause is how long a pause lasts unless told otherwise.
	usualPause = 30 * time.Minute
	// minPause and maxPause are those of trackerd, so that a mistake is told at once.
	minPause = time.Minute
	maxPause = 8 * time.Hour
)

func pauseCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "pause [LENGTH]",
		Short: "Have nothing of you measured for a while",
		Long: `pause has nothing of you measured for LENGTH from now on: 30m unless told
otherwise, from 1m to 8h. Whoever reads your day on the server sees that you paused, and
for how long. It goes on after a restart. A second pause changes until when; 'trackctl
resume' ends it. Only you can pause for yourself, and a rule may forbid it ('trackctl
status').`,
		Example: "  trackctl pause\n  trackctl pause 1h30m",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			length := usualPause
			if len(args) > 0 {
				var err error
				if length, err = time.ParseDuration(args[0]); err != nil {
					return usageError{fmt.Errorf("%q is no length such as 30m or 1h30m", args[0]), c.CommandPath()}
				}
			}
			if length < minPause || length > maxPause {
				return usageError{fmt.Errorf("LENGTH is %s; want 1m to 8h", length), c.CommandPath()}
			}
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			p, err := ask.Pause(c.Context(), length)
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), p)
			}
			return printText(c.OutOrStdout(), "Nothing of you is measured until "+when(&p.Until, "")+"; 'trackctl resume' ends that.\n")
		},
	}
}

func resumeCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "resume",
		Short: "End your pause",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			r, err := ask.Resume(c.Context())
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), r)
			}
			return printText(c.OutOrStdout(), map[bool]string{true: "Your pause has ended.\n", false: "You had not paused.\n"}[r.Paused])
		},
	}
}

// pausesText lists the pauses that are on: to a person of their own.
func pausesText(st *control.Status) string {
	var b strings.Builder
	for _, p := range st.Paused {
		if st.Host == nil || st.User {
			fmt.Fprintf(&b, "You have paused: nothing of you is measured until %s ('trackctl resume' ends that).\n", when(&p.Until, ""))
		} else {
			fmt.Fprintf(&b, "Paused: %s, by its user until %s\n", p.MachineID, when(&p.Until, ""))
		}
	}
	return b.String()
}
