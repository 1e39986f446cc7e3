package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/doctor"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/localpg"
)

// Examine looks at the server and its database and returns the doctor's checks of
// them. It changes nothing.
func Examine(ctx context.Context, c config.Config, now time.Time) []api.Check {
	_, zoneErr := time.LoadLocation("Europe/Moscow")
	checks := append(examineDatabase(ctx, c), doctor.TimeZones(zoneErr), doctor.Retention(c.Keep))
	checks = append(checks, examineCertificates(c, now)...)
	checks = append(checks, examineSingleSignOn(ctx, c)...)
	got, err := Probe(ctx, c.Listen, "/readyz", c.OwnName())
	return append(checks, examinePackages(c), doctor.Address(c.Listen, got.Status, got.Code, err, c.Service))
}

// examineDatabase looks at the database, if it can be reached.
func examineDatabase(ctx context.Context, c config.Config) []api.Check {
	if c.Database.URL == "" && !localpg.Exists(c.StateDir) {
		return []api.Check{doctor.NoDatabase(c.StateDir)}
	}
	var checks []api.Check
	err := WithDatabase(ctx, c, slog.New(slog.DiscardHandler), ForCommand, func(ctx context.Context, d *Database) (err error) {
		checks, err = examineStore(ctx, c, d)
		return err
	})
	switch advised := (AdvisedError{}); {
	case err == nil:
	case len(checks) > 0:
		checks = append(checks, doctor.PrivateDatabase(err))
	case errors.As(err, &advised):
		checks = []api.Check{doctor.DatabaseAway(advised.Err, advised.Advice)}
	default:
		checks = []api.Check{doctor.DatabaseAway(err, "")}
	}
	return checks
}

func examineStore(ctx context.Context, c config.Config, d *Database) ([]api.Check, error) {
	e, err := d.Store.Examine(ctx)
	if err != nil {
		return nil, err
	}
	// 0 where the kernel does not report it.
	memory, _ := localpg.Memory()
	checks := append(doctor.Database(e), doctor.Postgres(e, memory)...)
	replica, err := d.Store.ExamineReplica(ctx)
	if err != nil {
		return nil, err
	}
	if replica != nil {
		checks = append(checks, doctor.Replica(*replica, c.Database.ReplicaMaxLag))
	}
	directory := e.DataDirectory
	if d.Private != nil {
		base := filepath.Join(c.StateDir, "postgres")
		directory = filepath.Join(base, "data")
		checks = append(checks, doctor.StateFolder(base, readFolders(base)))
	}
	var fs unix.Statfs_t
	if directory != "" && unix.Statfs(directory, &fs) == nil && fs.Blocks > 0 {
		free, part := float64(fs.Bavail)*float64(fs.Bsize), float64(fs.Bavail)/float64(fs.Blocks)
		checks = append(checks, doctor.Disk(int64(free), part, e.SizeBytes))
	}
	if e.Schema.Version != e.Schema.Known {
		return checks, nil
	}
	pictures, err := d.Store.Screenshots.Examine(ctx)
	if err != nil {
		return nil, err
	}
	return append(checks, doctor.Pictures(&pictures, os.Geteuid(), leastFree)), nil
}

// ssoTimeout bounds asking the provider of single sign-on.
const ssoTimeout = 10 * time.Second

// examineSingleSignOn asks the provider of single sign-on, if there is one.
func examineSingleSignOn(ctx context.Context, c config.Config) []api.Check {
	if c.SSO.Issuer == "" {
		return nil
	}
	found := doctor.SingleSignOn{Issuer: c.SSO.Issuer, Only: c.SSO.Only}
	provider, err := singleSignOn(c)
	if found.Settings = err; err == nil {
		defer provider.Close()
		ctx, cancel := context.WithTimeout(ctx, ssoTimeout)
		defer cancel()
		found.Keys, found.Err = provider.Examine(ctx)
	}
	return []api.Check{found.Check()}
}

// readFolders reads who may enter the private PostgreSQL's folders.
func readFolders(base string) []doctor.Folder {
	var folders []doctor.Folder
	for _, name := range []string{"data", "run"} {
		f := doctor.Folder{Path: filepath.Join(base, name)}
		info, err := os.Stat(f.Path)
		if f.Err = err; err == nil {
			f.Mode = uint32(info.Mode().Perm())
		}
		folders = append(folders, f)
	}
	return folders
}

// examineCertificates looks at what callers are shown, if the server speaks TLS.
func examineCertificates(c config.Config, now time.Time) []api.Check {
	files, acme := CertificateFiles(c), ACME(c)
	fromFiles := files != httpserver.Files{}
	switch {
	case fromFiles && len(acme.Domains) > 0:
		return []api.Check{doctor.TwoCertificates()}
	case fromFiles:
		certificate, err := files.Examine()
		return []api.Check{doctor.CertificateFiles(certificate, err, files.Key, now)}
	case len(acme.Domains) == 0:
		return []api.Check{doctor.NoCertificate()}
	}
	if err := acme.Examine(); err != nil {
		return []api.Check{doctor.ACMEFolder(acme.CacheDir, err)}
	}
	var checks []api.Check
	for _, domain := range acme.Domains {
		certificate, err := acme.Kept(domain)
		checks = append(checks, doctor.ACME(doctor.ACMECertificate{Domain: domain, Certificate: certificate, Err: err}, now))
	}
	return checks
}

// examinePackages looks at what hosts install from this server.
func examinePackages(c config.Config) api.Check {
	r, err := Repository(c)
	if err != nil {
		return doctor.PackagesAddress(err)
	}
	return doctor.Packages(r.Examine(), c.BaseURL)
}
