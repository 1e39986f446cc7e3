package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"activity-tracker.example/server/internal/httpserver"
)

const (
	// certificateSoon is before a certificate's end: ACME has tried for nine days
	// then, and files are usually replaced a month before.
	certificateSoon = 21 * oneDay
	// certificatePart is what part of a certificate's own time is soon, if that is
	// less: some authorities give a day.
	certificatePart = 4
	// namesShown are how many of a certificate's names are shown.
	namesShown = 3
)

// checkCertificates looks at what callers are shown, if the server speaks TLS.
func (e *edgeFlags) checkCertificates(stateDir string, now time.Time) []check {
	acme := e.acme
	acme.CacheDir = filepath.Join(stateDir, acmeFolder)
	switch files := e.files; {
	case files != httpserver.Files{} && len(acme.Domains) > 0:
		return []check{{
			"certificate", verdictFail, "--tls-cert and --acme-domain are both given, and the server starts with one of them only",
			"leave one of the two away",
		}}
	case files != httpserver.Files{}:
		return []check{checkFiles(files, now)}
	case len(acme.Domains) > 0:
		return checkACME(acme, now)
	}
	return []check{ok("certificate", "none: the server speaks plain HTTP, for a proxy that speaks TLS")}
}

func checkFiles(files httpserver.Files, now time.Time) check {
	c, err := files.Examine()
	if errors.Is(err, fs.ErrPermission) {
		return check{
			"certificate", verdictFail, err.Error(),
			"chgrp the file to that user and chmod g+r; a folder to g+x (man trackerd-server.env: TRACKERD_SERVER_TLS_CERT)",
		}
	}
	if err != nil {
		return check{
			"certificate", verdictFail, err.Error(),
			"a server that runs goes on with the one before, and none starts: mend the files (--tls-cert, --tls-key)",
		}
	}
	made := judgeCertificate("certificate", c, now, "replace the files; a running server takes the new ones by itself")
	if c.KeyOpen && made.Verdict == verdictOK {
		made.Verdict, made.Detail = verdictWarn, made.Detail+"; everybody on this machine can read its key"
		made.Advice = "chmod o-r " + files.Key
	}
	return made
}

func checkACME(acme httpserver.ACME, now time.Time) []check {
	if err := acme.Examine(); err != nil {
		return []check{{
			"certificate", verdictFail, err.Error(),
			fmt.Sprintf("the server keeps its certificates in %s, which must be its own and closed to others (chmod 700)", acme.CacheDir),
		}}
	}
	var checks []check
	for _, domain := range acme.Domains {
		const reach = "the server's log says why: the authority must reach port 443 of this name, or --acme-http"
		c, err := acme.Kept(domain)
		switch {
		case errors.Is(err, httpserver.ErrNoCertificate):
			checks = append(checks, check{"certificate", verdictWarn, domain + ": none by ACME yet", "start the server; where it runs, " + reach})
		case err != nil:
			checks = append(checks, check{"certificate", verdictFail, err.Error(), "remove the file and restart the server: it gets another one"})
		default:
			checks = append(checks, judgeCertificate("certificate", c, now, "a running server renews it a month before; "+reach))
		}
	}
	return checks
}

// judgeCertificate looks at the time for which it is good.
func judgeCertificate(name string, c httpserver.Certificate, now time.Time, advice string) check {
	names := strings.Join(c.Names[:min(len(c.Names), namesShown)], ", ")
	switch more := len(c.Names) - namesShown; {
	case more > 0:
		names += fmt.Sprintf(" and %d more", more)
	case names == "":
		// Since 2017 browsers, and Go, look at nothing else.
		return check{name, verdictFail, "it has no name in it (subjectAltName), so that no host takes it", "get one with the server's name as subjectAltName"}
	}
	left, soon := c.Ends.Sub(now), min(certificateSoon, c.Ends.Sub(c.Begins)/certificatePart)
	ends := c.Ends.UTC().Format("2006-01-02 15:04 UTC")
	switch {
	case now.Before(c.Begins):
		return check{name, verdictFail, names + ": good only from " + c.Begins.UTC().Format("2006-01-02 15:04 UTC") + " on", "see to this machine's clock; else " + advice}
	case left <= 0:
		return check{name, verdictFail, names + ": ended " + spanText(-left) + " ago, at " + ends, "hosts refuse it: " + advice}
	case left < soon:
		return check{name, verdictWarn, names + ": ends in " + spanText(left) + ", at " + ends, advice}
	}
	return ok(name, "%s: ends in %s, at %s", names, spanText(left), ends)
}
