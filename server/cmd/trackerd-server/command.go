package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/store"
)

// Environment variables, each the same as a flag.
const (
	envListen   = "TRACKERD_SERVER_LISTEN"
	envDatabase = "DATABASE_URL"
	envStateDir = "TRACKERD_SERVER_STATE_DIR"

	envNoMigrate  = "TRACKERD_SERVER_NO_MIGRATE"
	envReplica    = "REPLICA_DATABASE_URL"
	envReplicaLag = "TRACKERD_SERVER_REPLICA_MAX_LAG"

	envLogFormat = "TRACKERD_SERVER_LOG_FORMAT"
	envLogLevel  = "TRACKERD_SERVER_LOG_LEVEL"

	envKeepEvents  = "TRACKERD_SERVER_KEEP_EVENTS_DAYS"
	envKeepTitles  = "TRACKERD_SERVER_KEEP_TITLES_DAYS"
	envKeepRollups = "TRACKERD_SERVER_KEEP_ROLLUPS_DAYS"

	envCompactAfter = "TRACKERD_SERVER_COMPACT_AFTER_DAYS"
)

const (
	// defaultListen is the contract's port, on all addresses: hosts report
	// from elsewhere.
	defaultListen = ":8100"
	// rootStateDir is where the package keeps state; others keep it below
	// their own home.
	rootStateDir = "/var/lib/trackerd-server"
	// keepEvents and keepTitles are 13 months: the same month a year ago can
	// still be looked at. keepRollups is three years: sums are small and name
	// no windows.
	keepEvents  = 400
	keepTitles  = 400
	keepRollups = 1100
	// compactAfter is a week: a host that was away over holidays has reported
	// by then, and a week more of the roomier form is a fiftieth of 13 months.
	compactAfter = 7
	// minReplicaLag is twice the grain in which lag is told; with more than
	// maxReplicaLag nobody would see his own day.
	minReplicaLag = 2 * time.Second
	maxReplicaLag = time.Hour
	// maxKeepDays is a century: more is a mistake.
	maxKeepDays = 36_525
)

// settings are the flags that all subcommands share.
type settings struct {
	databaseURL string
	// passwordFile holds the database's password, apart from its URL.
	passwordFile string
	stateDir     string
	envFile      string
	// serving says that this is a server, which remembers rows of the database.
	serving bool
	// mayMake says that a private PostgreSQL is made where there is none: not by a
	// command that is meant for a server's.
	mayMake bool
	// firstToken makes an administrator's token where there is none, and logs it.
	firstToken bool
	verbose    bool
	// logFormat and logLevel say what the log looks like.
	logFormat, logLevel string
	// edge is how serve meets the network.
	edge edgeFlags
	// noMigrate leaves the schema to the migrate command.
	noMigrate bool
	// replicaURL names a standby for reports, which may be replicaLag behind;
	// replicaMaxLag is that as its flag gave it.
	replicaURL, replicaMaxLag string
	replicaLag                time.Duration
	// service says that they are those of the package's service;
	// environmentErr is what was wrong with the environment file.
	service        bool
	environmentErr error
	// The days that each kind of data is kept as flags gave them, and the
	// whole as it was understood.
	keepEvents, keepTitles, keepRollups string
	keep                                store.Retention
	// compactAfterDays is after how many days events are compacted as its flag
	// gave it.
	compactAfterDays string
	compactAfter     time.Duration
}

func newCommand() *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:     "trackerd-server",
		Version: version,
		Short:   "Keeps what hosts report and answers over a REST API",
		Long: `trackerd-server keeps what trackerd reports from each host, and answers over a
REST API who used which machine, when and how.

Without a database URL it runs a private PostgreSQL, from the machine's own
binaries, in the state folder. It is shared by all trackerd-server commands with
the same state folder and stops with the last of them.

Environment:
  ` + envListen + `     address to listen on, as --listen
  ` + envDatabase + `               database URL, as --database-url; keeps a password
                             off the command line, which others can see
  ` + envPasswordFile + `     as --database-password-file
  ` + envReplica + `       a replica for reports, as --replica-database-url
  ` + envReplicaLag + `
                             as --replica-max-lag
  ` + envStateDir + `  state folder, as --state-dir
  ` + envFirstToken + `
                             log: as --first-token-to-log
  ` + envLogFormat + `, …_LEVEL
                             as --log-format, --log-level
  ` + envNoMigrate + `  true: as --no-migrate
  ` + envKeepEvents + `, …_TITLES_DAYS, …_ROLLUPS_DAYS
                             as --keep-events-days, …
  ` + envCompactAfter + `
                             as --compact-after-days
Those that are not set are read from --env-file. Without it, and where neither a
database URL nor a state folder is named, that is the service's configuration
from the package, ` + serviceEnvFile + `, so that commands find
its database; root then goes on as the user ` + serviceUser + `.`,
		Example: `  trackerd-server serve
  trackerd-server enrollment create --uses 10 --expires 24h
  trackerd-server token create --name reports --role viewer`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		// What goes wrong is told by fromEnvironment: help and completion need no
		// configuration.
		PersistentPreRun: func(*cobra.Command, []string) { s.environmentErr = s.adoptEnvironment() },
		RunE:             func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&s.databaseURL, "database-url", "", "PostgreSQL to use, as postgres://user@host/database (default: a private one)")
	flags.StringVar(&s.passwordFile, "database-password-file", "", "file with the password for --database-url, alone in one line")
	flags.StringVar(&s.replicaURL, "replica-database-url", "", "streaming replica of that database to read reports from (default: none)")
	flags.StringVar(&s.replicaMaxLag, "replica-max-lag", "", fmt.Sprintf("how far the replica may be behind before the database itself is asked (default %v)", store.UsualReplicaLag))
	flags.StringVar(&s.stateDir, "state-dir", "", "folder for the private PostgreSQL (default "+defaultStateDir()+")")
	flags.StringVar(&s.envFile, "env-file", "", "file of NAME=VALUE lines with the settings (default "+serviceEnvFile+")")
	flags.StringVar(&s.keepEvents, "keep-events-days", "", fmt.Sprintf("days that events are kept; 0: for ever (default %d)", keepEvents))
	flags.StringVar(&s.keepTitles, "keep-titles-days", "", fmt.Sprintf("days that window titles are kept; 0: for ever (default %d)", keepTitles))
	flags.StringVar(&s.keepRollups, "keep-rollups-days", "", fmt.Sprintf("days that the sums for reports are kept; 0: for ever (default %d)", keepRollups))
	flags.StringVar(&s.compactAfterDays, "compact-after-days", "", fmt.Sprintf("days after which a day's events are compacted; 0: never (default %d)", compactAfter))
	flags.BoolVar(&s.noMigrate, "no-migrate", false, "leave the schema to the migrate command; serve waits for it")
	flags.BoolVar(&s.verbose, "verbose", false, "log every request: --log-level debug")
	flags.StringVar(&s.logFormat, "log-format", "", "the log's lines: text or json (default text)")
	flags.StringVar(&s.logLevel, "log-level", "", "what is logged: debug, info, warn or error (default info)")
	// Folders and files are completed as such; the URL has nothing to complete.
	_ = root.MarkPersistentFlagDirname("state-dir")
	_ = root.MarkPersistentFlagFilename("env-file")
	root.AddCommand(serveCommand(s), tokenCommand(s), enrollmentCommand(s), rollupsCommand(s),
		hostCommand(s), migrateCommand(s), compactCommand(s), healthcheckCommand(s),
		backupCommand(s), restoreCommand(s), doctorCommand(s))
	markUsage(root)
	briefHelp(root)
	return root
}

func defaultStateDir() string {
	if os.Geteuid() == 0 {
		return rootStateDir
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return dir + "/trackerd-server"
	}
	return os.Getenv("HOME") + "/.local/state/trackerd-server"
}

// fromEnvironment fills in what no flag gave.
func (s *settings) fromEnvironment(get func(string) string) error {
	if s.environmentErr != nil {
		return s.environmentErr
	}
	s.databaseURL = cmp.Or(s.databaseURL, get(envDatabase))
	s.passwordFile = cmp.Or(s.passwordFile, get(envPasswordFile))
	if err := s.replicaFrom(get); err != nil {
		return err
	}
	s.stateDir = cmp.Or(s.stateDir, get(envStateDir), defaultStateDir())
	if err := s.logFrom(get); err != nil {
		return err
	}
	if err := s.addPasswordFile(); err != nil {
		return err
	}
	if text := get(envNoMigrate); text != "" && !s.noMigrate {
		var err error
		if s.noMigrate, err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("%s %q: want true or false", envNoMigrate, text)
		}
	}
	for _, k := range []struct {
		flag, value, env string
		usual            int
		zero             string
		to               *time.Duration
	}{
		{"--keep-events-days", s.keepEvents, envKeepEvents, keepEvents, "for ever", &s.keep.Events},
		{"--keep-titles-days", s.keepTitles, envKeepTitles, keepTitles, "for ever", &s.keep.Titles},
		{"--keep-rollups-days", s.keepRollups, envKeepRollups, keepRollups, "for ever", &s.keep.Rollups},
		{"--compact-after-days", s.compactAfterDays, envCompactAfter, compactAfter, "never", &s.compactAfter},
	} {
		name := k.flag
		if k.value == "" {
			name = k.env
		}
		text := cmp.Or(k.value, get(k.env), strconv.Itoa(k.usual))
		days, err := strconv.Atoi(text)
		if err != nil || days < 0 || days > maxKeepDays {
			return fmt.Errorf("%s %q: want days from 0 (%s) to %d", name, text, k.zero, maxKeepDays)
		}
		*k.to = time.Duration(days) * 24 * time.Hour
	}
	return nil
}

// replicaFrom fills in what no flag gave of the replica.
func (s *settings) replicaFrom(get func(string) string) error {
	s.replicaURL = cmp.Or(s.replicaURL, get(envReplica))
	if s.replicaURL != "" && s.databaseURL == "" {
		return fmt.Errorf("%s needs %s: the private PostgreSQL has no replica", envReplica, envDatabase)
	}
	text := cmp.Or(s.replicaMaxLag, get(envReplicaLag), store.UsualReplicaLag.String())
	var err error
	if s.replicaLag, err = time.ParseDuration(text); err != nil || s.replicaLag < minReplicaLag || s.replicaLag > maxReplicaLag {
		return fmt.Errorf("--replica-max-lag %q: want a time from %v to %v, such as 30s", text, minReplicaLag, maxReplicaLag)
	}
	return nil
}

// logFrom fills in what no flag gave of the log.
func (s *settings) logFrom(get func(string) string) error {
	s.logFormat = cmp.Or(s.logFormat, get(envLogFormat), "text")
	s.logLevel = cmp.Or(s.logLevel, get(envLogLevel), "info")
	if s.verbose {
		s.logLevel = "debug"
	}
	return errors.Join(oneOf("log-format", s.logFormat, "text", "json"),
		oneOf("log-level", s.logLevel, "debug", "info", "warn", "error"))
}

func (s *settings) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{}
	var level slog.Level
	// fromEnvironment has checked it; info is the zero value.
	if level.UnmarshalText([]byte(s.logLevel)) == nil {
		options.Level = level
	}
	if s.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// quiet is for commands that a person types: only what goes wrong.
func quiet(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// oneOf completes and checks a flag of a few words.
func oneOf(flag, value string, words ...string) error {
	for _, w := range words {
		if value == w {
			return nil
		}
	}
	if value == "" {
		return usagef("--%s is missing: want one of %v", flag, words)
	}
	return usagef("--%s %q: want one of %v", flag, value, words)
}
