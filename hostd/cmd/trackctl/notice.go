package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/control"
)

// maxAnswerBytes bounds what is read of an answer.
const maxAnswerBytes = 100

func noticeCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "notice",
		Short: "Read what is recorded here, and confirm that you have",
		Long: `notice shows what is recorded about people on this host, by which rules, and what your
organisation says of it. In a terminal it asks whether you have read it. If you confirm,
the server is told which version you read, when, and by which account: that a program of
your account confirmed it, no more. Not answering keeps you from nothing.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			n, err := ask.Notice(c.Context())
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), n)
			}
			if err := printText(c.OutOrStdout(), n.Text+"\n"); err != nil {
				return err
			}
			return confirmNotice(c, ask, n)
		},
	}
}

// confirmNotice asks in a terminal whether the notice was read, where that was not
// confirmed yet.
func confirmNotice(c *cobra.Command, ask *control.Client, n control.Notice) error {
	switch {
	case n.ReadAt != nil:
		return printText(c.OutOrStdout(), "You confirmed on "+when(n.ReadAt, "")+" that you have read this.\n")
	case os.Geteuid() == 0:
		return nil // root confirms for nobody
	case !isTerminal(c.InOrStdin()) || !isTerminal(c.OutOrStdout()):
		return printText(c.OutOrStdout(), "You have not confirmed yet that you have read this; 'trackctl notice' asks in a terminal.\n")
	}
	if err := printText(c.OutOrStdout(), "Have you read this? Вы это прочитали? (yes/да, no/нет) "); err != nil {
		return err
	}
	yes, err := readYes(c.Context(), c.InOrStdin())
	if err != nil {
		return err
	}
	if !yes {
		return printText(c.OutOrStdout(), "Nothing was confirmed.\n")
	}
	if _, err := ask.Confirm(c.Context(), n.Version); err != nil {
		return err
	}
	return printText(c.OutOrStdout(), "It is noted that you have read this.\n")
}

// readYes reads a line, and reports whether it is a yes. A read cannot be ended, so it is
// left behind where ctx ends first.
func readYes(ctx context.Context, in io.Reader) (bool, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(io.LimitReader(in, maxAnswerBytes)).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		if r.err != nil {
			return false, fmt.Errorf("read the answer: %w", r.err)
		}
		return slices.Contains([]string{"yes", "y", "да", "д"}, strings.ToLower(strings.TrimSpace(r.line))), nil
	case <-ctx.Done():
		return false, errors.New("stopped before an answer came; nothing was confirmed")
	}
}

// isTerminal reports whether a stream is one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
