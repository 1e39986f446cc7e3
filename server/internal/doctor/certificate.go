package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/quantity"
)

const (
	// certificateSoon is before a certificate's end: ACME has tried for nine days
	// then, and files are usually replaced a month before.
	certificateSoon = 21 * quantity.Day
	// certificatePart is what part of a certificate's own time is soon, if that is
	// less: some authorities issue one for a day.
	certificatePart = 4
	// namesShown are how many of a certificate's names are shown.
	namesShown = 3
)

// ACMECertificate is what was read of a certificate that is kept for a name.
type ACMECertificate struct {
	Domain      string
	Certificate httpserver.Certificate
	Err         error
}

// NoCertificate is the check of a server that speaks no TLS.
func NoCertificate() api.Check {
	return ok("certificate", "none: the server speaks plain HTTP, for a proxy that speaks TLS")
}

// TwoCertificates is the check of a server with a certificate both from files and by
// ACME.
func TwoCertificates() api.Check {
	return failed("certificate", "--tls-cert and --acme-domain are both given, and the server starts with one of them only",
		"leave one of the two away")
}

// CertificateFiles checks what was read of a certificate's files, or why they were
// not; key is the key's file.
func CertificateFiles(c httpserver.Certificate, err error, key string, now time.Time) api.Check {
	if errors.Is(err, fs.ErrPermission) {
		return failed("certificate", err.Error(),
			"chgrp the file to that user and chmod g+r; a folder to g+x (man trackerd-server.env: TRACKERD_SERVER_TLS_CERT)")
	}
	if err != nil {
		return failed("certificate", err.Error(),
			"a server that runs goes on with the one before, and none starts: mend the files (--tls-cert, --tls-key)")
	}
	made := checkCertificate(c, now, "replace the files; a running server takes the new ones by itself")
	if c.KeyOpen && made.Result == api.CheckOK {
		made.Result, made.Detail = api.CheckWarning, made.Detail+"; everybody on this machine can read its key"
		made.Advice = "chmod o-r " + key
	}
	return made
}

// ACMEFolder is the check of a folder where certificates by ACME can't be kept.
func ACMEFolder(dir string, err error) api.Check {
	return failed("certificate", err.Error(),
		fmt.Sprintf("the server keeps its certificates in %s, which must be its own and closed to others (chmod 700)", dir))
}

// ACME checks a certificate by ACME.
func ACME(kept ACMECertificate, now time.Time) api.Check {
	const reach = "the server's log says why: the authority must reach port 443 of this name, or --acme-http"
	switch {
	case errors.Is(kept.Err, httpserver.ErrNoCertificate):
		return warning("certificate", kept.Domain+": none by ACME yet",
			"start the server; where it runs, "+reach)
	case kept.Err != nil:
		return failed("certificate", kept.Err.Error(),
			"remove the file and restart the server: it gets another one")
	}
	return checkCertificate(kept.Certificate, now, "a running server renews it a month before; "+reach)
}

// checkCertificate looks at the time for which it is good.
func checkCertificate(c httpserver.Certificate, now time.Time, advice string) api.Check {
	const name = "certificate"
	names := strings.Join(c.Names[:min(len(c.Names), namesShown)], ", ")
	switch more := len(c.Names) - namesShown; {
	case more > 0:
		names += fmt.Sprintf(" and %d more", more)
	case names == "":
		// Since 2017 browsers, and Go, look at nothing else.
		return failed(name, "it has no name in it (subjectAltName), so that no host takes it", "get one with the server's name as subjectAltName")
	}
	left, soon := c.Ends.Sub(now), min(certificateSoon, c.Ends.Sub(c.Begins)/certificatePart)
	ends := c.Ends.UTC().Format("2006-01-02 15:04 UTC")
	switch {
	case now.Before(c.Begins):
		return failed(name, names+": good only from "+c.Begins.UTC().Format("2006-01-02 15:04 UTC")+" on", "see to this machine's clock; else "+advice)
	case left <= 0:
		return failed(name, names+": ended "+quantity.DurationText(-left)+" ago, at "+ends, "hosts refuse it: "+advice)
	case left < soon:
		return warning(name, names+": ends in "+quantity.DurationText(left)+", at "+ends, advice)
	}
	return ok(name, "%s: ends in %s, at %s", names, quantity.DurationText(left), ends)
}
