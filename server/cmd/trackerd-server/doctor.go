package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"activity-tracker.example/server/internal/httpapi"
	"activity-tracker.example/server/internal/localpg"
)

// verdict is how one check ended.
type verdict string

const (
	verdictOK   verdict = "ok"
	verdictWarn verdict = "warn"
	verdictFail verdict = "FAIL"
)

// check is one line of the doctor's.
type check struct {
	Name    string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Detail  string  `json:"detail"`
	// Advice says what to do; empty where all is well.
	Advice string `json:"advice,omitempty"`
}

func ok(name, format string, args ...any) check {
	return check{Name: name, Verdict: verdictOK, Detail: fmt.Sprintf(format, args...)}
}

func doctorCommand(s *settings) *cobra.Command {
	var listen string
	var asJSON bool
	var edge edgeFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the server and its database, and say what to do",
		Long: `doctor examines the database, its settings, its space and its clock, the schema,
partitions, compaction, tokens, the replica, the certificate, the packages for hosts
and the server's address, and says for each problem what to do about it. It changes nothing. It exits
with 1 where a check failed; a warning is no failure.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.fromEnvironment(os.Getenv); err != nil {
				return usageError{err}
			}
			addr, err := listenAddress(listen, os.Getenv)
			if err != nil {
				return err
			}
			if err := fillIn(cmd, os.Getenv); err != nil {
				return usageError{err}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), commandTimeout)
			defer cancel()
			checks := append(s.examine(ctx), checkZones(), s.checkKeep())
			checks = append(checks, edge.checkCertificates(s.stateDir, time.Now())...)
			name := ""
			if len(edge.acme.Domains) > 0 {
				name = edge.acme.Domains[0]
			}
			checks = append(checks, edge.agents.checkPackages(s.service))
			checks = append(checks, checkAddress(ctx, addr, name, s.service))
			return printChecks(cmd.OutOrStdout(), checks, asJSON)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "where the server listens (default \""+defaultListen+"\")")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	edge.addCertificate(cmd)
	edge.agents.add(cmd)
	return cmd
}

// printChecks shows all checks, and fails where one did.
func printChecks(w io.Writer, checks []check, asJSON bool) error {
	failed := 0
	for i, c := range checks {
		checks[i].Detail = oneLine(c.Detail)
		if c.Verdict == verdictFail {
			failed++
		}
	}
	var err error
	if asJSON {
		err = printJSON(w, struct {
			OK     bool    `json:"ok"`
			Checks []check `json:"checks"`
		}{failed == 0, checks})
	} else {
		err = printLine(w, strings.TrimRight(checksText(checks), "\n"))
	}
	if err == nil && failed > 0 {
		err = foundError{fmt.Errorf("%d checks failed", failed)}
	}
	return err
}

// oneLine joins the lines of an error, each of them once: a driver lists every address
// that it tried, often the same one with TLS and without.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

func checksText(checks []check) string {
	width := 0
	for _, c := range checks {
		width = max(width, len(c.Name))
	}
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%-4s  %-*s  %s\n", c.Verdict, width, c.Name, harmless(c.Detail))
		if c.Advice != "" {
			fmt.Fprintf(&b, "      %-*s  -> %s\n", width, "", c.Advice)
		}
	}
	return b.String()
}

// examine looks at the database, if it can be reached.
func (s *settings) examine(ctx context.Context) []check {
	if s.databaseURL == "" && !localpg.Exists(s.stateDir) {
		return []check{{
			"database", verdictFail, "there is no private PostgreSQL in " + s.stateDir,
			"start the server, which makes one; for a server elsewhere give --database-url or --state-dir",
		}}
	}
	var checks []check
	err := withDatabase(ctx, s, quiet(io.Discard), func(ctx context.Context, d *database) error {
		e, err := d.store.Examine(ctx)
		if err != nil {
			return err
		}
		// 0 where the kernel does not tell.
		memory, _ := localpg.Memory()
		checks = append(judge(e), judgePostgres(e, memory)...)
		if r, err := d.store.ExamineReplica(ctx); err != nil {
			return err
		} else if r != nil {
			checks = append(checks, judgeReplica(*r, s.replicaLag))
		}
		directory := e.DataDirectory
		if d.private != nil {
			directory = filepath.Join(s.stateDir, "postgres", "data")
			checks = append(checks, checkPrivate(filepath.Join(s.stateDir, "postgres")))
		}
		if c, visible := checkSpace(directory, e.SizeBytes); visible {
			checks = append(checks, c)
		}
		return nil
	})
	if err != nil && len(checks) == 0 {
		if advised := (advisedError{}); errors.As(err, &advised) {
			return []check{{"database", verdictFail, advised.error.Error(), advised.advice}}
		}
		return []check{{"database", verdictFail, err.Error(), "see that PostgreSQL runs, and that DATABASE_URL names it, its user and password"}}
	}
	if err != nil {
		checks = append(checks, check{"private PostgreSQL", verdictWarn, err.Error(), "see its log, postgres.log in the state folder"})
	}
	return checks
}

const (
	// lowSpace and littleSpace are parts of a file system: below them PostgreSQL
	// is about to stop, or will be soon.
	lowSpace    = 0.03
	littleSpace = 0.10
)

// checkSpace looks at the file system that the database lies on, where it is
// visible from here.
func checkSpace(dir string, size int64) (check, bool) {
	var fs unix.Statfs_t
	if dir == "" || unix.Statfs(dir, &fs) != nil || fs.Blocks == 0 {
		return check{}, false
	}
	free, part := float64(fs.Bavail)*float64(fs.Bsize), float64(fs.Bavail)/float64(fs.Blocks)
	c := ok("disk", "%s free (%.0f %%), the database has %s", sizeText(int64(free)), part*100, sizeText(size))
	switch advice := "make room, or keep less: --keep-events-days"; {
	case part < lowSpace:
		c.Verdict, c.Advice = verdictFail, advice
	case part < littleSpace:
		c.Verdict, c.Advice = verdictWarn, advice
	}
	return c, true
}

// checkPrivate looks at who may enter the private PostgreSQL's folders.
func checkPrivate(base string) check {
	for _, name := range []string{"data", "run"} {
		info, err := os.Stat(filepath.Join(base, name))
		if err != nil {
			return check{"state folder", verdictWarn, err.Error(), "run this as root or as the server's user"}
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			return check{
				"state folder", verdictFail, fmt.Sprintf("%s can be entered by others (mode %o)", filepath.Join(base, name), mode),
				"chmod 700 " + filepath.Join(base, name),
			}
		}
	}
	return ok("state folder", "%s, closed to others", base)
}

func checkZones() check {
	if _, err := time.LoadLocation("Europe/Moscow"); err != nil {
		return check{"time zones", verdictFail, err.Error(), "the program is broken: install it again"}
	}
	return ok("time zones", "known")
}

// checkKeep says for how long data is kept.
func (s *settings) checkKeep() check {
	text := func(d time.Duration) string {
		if d == 0 {
			return "for ever"
		}
		return spanText(d)
	}
	c := ok("retention", "events %s, titles %s, roll-ups %s", text(s.keep.Events), text(s.keep.Titles), text(s.keep.Rollups))
	if k := s.keep; k.Rollups != 0 && (k.Events == 0 || k.Events > k.Rollups) {
		c.Verdict, c.Advice = verdictWarn, "reports are made of roll-ups: keep them at least as long as events"
	}
	return c
}

// checkAddress looks whether a server answers where one is to listen, the package's
// service or another.
func checkAddress(ctx context.Context, addr, name string, service bool) check {
	got, err := probe(ctx, addr, "/readyz", name)
	switch {
	case err == nil && got.status == http.StatusOK:
		return ok("server", "ready on %s", addr)
	case err == nil && got.status == http.StatusServiceUnavailable && got.code == httpapi.StoppingCode:
		return check{"server", verdictWarn, "runs on " + addr + " and was told to stop", "it ends by itself, after --shutdown-delay"}
	case err == nil && got.status == http.StatusServiceUnavailable:
		return check{"server", verdictFail, "runs on " + addr + " without its database", "its log says why; other checks may, too"}
	case err == nil:
		return check{
			"server", verdictFail, fmt.Sprintf("something else answers on %s (status %d)", addr, got.status),
			"stop it, or let the server listen elsewhere: --listen",
		}
	case errors.Is(err, unix.ECONNREFUSED) && service:
		return check{"server", verdictWarn, "nothing listens on " + addr, "systemctl status trackerd-server says why; after a change: systemctl restart trackerd-server"}
	case errors.Is(err, unix.ECONNREFUSED):
		return check{"server", verdictWarn, "nothing listens on " + addr, "start it, if it is to run here: trackerd-server serve"}
	}
	return check{"server", verdictFail, err.Error(), "see what listens there: ss -ltnp"}
}
