package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/text"
)

// maxTokenBytes bounds what is read from standard input for a token.
const maxTokenBytes = 4 << 10

// errNoToken reports that standard input held none.
var errNoToken = errors.New("no token came on standard input")

func enrollCommand(o *options) *cobra.Command {
	var allowHTTP bool
	c := &cobra.Command{
		Use:   "enroll URL TOKEN|-",
		Short: "Make this host report to a server (root only, but with --user)",
		Long: `enroll makes this host known to the server at URL, which then accepts what
trackerd measured so far and from now on. It takes effect at once.

TOKEN comes from 'trackerd-server enrollment create' on the server. Give it as
"-" to have it read from standard input, where a terminal asks for it and does
not show it: a token on the command line can be read by every user of the host
while the command runs.

With --user it makes the trackerd that you run for yourself report; that takes a
token made with 'enrollment create --user'.`,
		Example: "  sudo trackctl enroll https://tracker-api.example.org - < token.txt",
		Args:    usageArgs(urlAndToken),
		RunE: func(c *cobra.Command, args []string) error {
			token, err := readToken(c.Context(), args[1], c.InOrStdin(), c.ErrOrStderr())
			if errors.Is(err, errNoToken) {
				return usageError{err, c.CommandPath()}
			}
			if err != nil {
				return err
			}
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			reply, err := ask.Enroll(c.Context(), control.EnrollRequest{URL: args[0], Token: token, AllowHTTP: allowHTTP})
			if err != nil {
				notShellsProxy(c.ErrOrStderr(), err)
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

// notShellsProxy adds to a failure that trackerd, which speaks to the server, does not
// see the proxy of this shell.
func notShellsProxy(errOut io.Writer, err error) {
	var refusal *control.RefusalError
	if !errors.As(err, &refusal) || refusal.Code != control.CodeFailed {
		return
	}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		if os.Getenv(name) != "" {
			_, _ = fmt.Fprintf(errOut, "trackctl: trackerd does not see %s of this shell; "+
				"where the server is behind that proxy, set proxy_url in trackerd's configuration\n", name) // the failure follows
			return
		}
	}
}

// urlAndToken checks how many arguments there are.
func urlAndToken(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want URL and TOKEN, got %s", text.Count(int64(len(args)), "argument"))
	}
	return nil
}

// readToken returns the token itself, or what standard input holds. A read cannot
// be ended, so it is left behind where ctx ends first.
func readToken(ctx context.Context, arg string, in io.Reader, errOut io.Writer) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	all := io.ReadAll
	if f, ok := in.(*os.File); ok {
		if show, ok := hideTyping(f); ok {
			defer show()
			_, _ = fmt.Fprint(errOut, "Enrolment token (not shown): ") // the token can be typed without it
			all = firstLine
		}
	}
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		data, err := all(io.LimitReader(in, maxTokenBytes))
		read <- result{data, err}
	}()
	var r result
	select {
	case r = <-read:
	case <-ctx.Done():
		return "", errors.New("stopped before a token came; this host's enrolment is as it was")
	}
	if r.err != nil {
		return "", fmt.Errorf("read the token from standard input: %w", r.err)
	}
	token := strings.TrimSpace(string(r.data))
	if token == "" {
		return "", errNoToken
	}
	return token, nil
}

// firstLine reads up to the first end of a line.
func firstLine(in io.Reader) ([]byte, error) {
	line, err := bufio.NewReader(in).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return line, err
}

// hideTyping has a terminal show no character but the end of the line until
// show is called; false where f is no terminal.
func hideTyping(f *os.File) (show func(), ok bool) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, false
	}
	hidden := *before
	hidden.Lflag = hidden.Lflag&^unix.ECHO | unix.ECHONL
	if unix.IoctlSetTermios(fd, unix.TCSETS, &hidden) != nil {
		return nil, false
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, true // nothing else can be tried
}
