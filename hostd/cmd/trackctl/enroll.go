package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"activity-tracker.example/hostd/control"
)

// maxTokenBytes bounds what is read from standard input for a token.
const maxTokenBytes = 4 << 10

func enrollCommand(o *options) *cobra.Command {
	var allowHTTP bool
	c := &cobra.Command{
		Use:   "enroll URL TOKEN|-",
		Short: "Make this host report to a server (root only)",
		Long: `enroll makes this host known to the server at URL, which then accepts what
trackerd measured so far and from now on. It takes effect at once.

TOKEN comes from 'trackerd-server enrollment create' on the server. Give it as
"-" to have it read from standard input: a token on the command line can be
read by every user of the host while the command runs.`,
		Example: "  sudo trackctl enroll https://tracker-api.example.org - < token.txt",
		Args:    usageArgs(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			token, err := readToken(args[1], c.InOrStdin())
			if err != nil {
				return err
			}
			reply, err := o.client().Enroll(c.Context(), control.EnrollRequest{URL: args[0], Token: token, AllowHTTP: allowHTTP})
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), reply)
			}
			return printText(c.OutOrStdout(), fmt.Sprintf("Enrolled with %s as host %s; uploads start now.\n", reply.ServerURL, reply.HostID))
		},
	}
	c.Flags().BoolVar(&allowHTTP, "allow-http", false, "allow plain http: everybody on the way can read and change what is sent")
	return c
}

func readToken(arg string, in io.Reader) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	data, err := io.ReadAll(io.LimitReader(in, maxTokenBytes))
	if err != nil {
		return "", fmt.Errorf("read the token from standard input: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", usageError{errors.New("no token came on standard input")}
	}
	return token, nil
}
