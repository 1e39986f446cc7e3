package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/doctor"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/localpg"
)

func doctorCommand(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the server and its database, and say what to do",
		Long: `doctor examines the database, its settings, its space and its clock, the schema,
partitions, compaction, tokens, the replica, the certificate, the packages for hosts
and the server's address, and says for each problem what to do about it. It changes nothing. It exits
with 1 where a check failed; a warning is no failure.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.flags.Load(config.Everywhere | config.Doctor)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), commandTimeout)
			defer cancel()
			_, zoneErr := time.LoadLocation("Europe/Moscow")
			checks := append(examineDatabase(ctx, c), doctor.TimeZones(zoneErr), doctor.Retention(c.Keep))
			checks = append(checks, examineCertificates(c, time.Now())...)
			got, err := app.Probe(ctx, c.Listen, "/readyz", ownName(c))
			checks = append(checks, examinePackages(c), doctor.Address(c.Listen, got.Status, got.Code, err, c.Service))
			return printReport(cmd.OutOrStdout(), doctor.Report(checks), asJSON)
		},
	}
	p.addFlags(cmd, cmd.Flags(), config.Doctor)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printReport shows all checks, and fails where one did.
func printReport(w io.Writer, r api.CheckReport, asJSON bool) error {
	write := doctor.WriteText
	if asJSON {
		write = func(w io.Writer, r api.CheckReport) error { return printJSON(w, r) }
	}
	if err := write(w, r); err != nil {
		return err
	}
	if !r.OK {
		return foundError{errors.New("a check failed")}
	}
	return nil
}

// examineDatabase looks at the database, if it can be reached.
func examineDatabase(ctx context.Context, c config.Config) []api.Check {
	if c.Database.URL == "" && !localpg.Exists(c.StateDir) {
		return []api.Check{doctor.NoDatabase(c.StateDir)}
	}
	var checks []api.Check
	err := app.WithDatabase(ctx, c, quiet(io.Discard), app.ForCommand, func(ctx context.Context, d *app.Database) (err error) {
		checks, err = examineStore(ctx, c, d)
		return err
	})
	switch advised := (app.AdvisedError{}); {
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

func examineStore(ctx context.Context, c config.Config, d *app.Database) ([]api.Check, error) {
	e, err := d.Store.Examine(ctx)
	if err != nil {
		return nil, err
	}
	// 0 where the kernel does not tell.
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
	return checks, nil
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
	files, acme := app.CertificateFiles(c), app.ACME(c)
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
	r, err := app.Repository(c)
	if err != nil {
		return doctor.PackagesAddress(err)
	}
	return doctor.Packages(r.Examine(), c.BaseURL)
}
