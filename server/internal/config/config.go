// Package config reads flags, environment and file into one validated struct.
package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// RootStateDir is where the package keeps state; others keep it below their own home.
const RootStateDir = "/var/lib/trackerd-server"

// Config is how a server runs, and how the commands find its database. What its parts
// alone understand, such as names of certificates, they check themselves.
type Config struct {
	Database Database
	// StateDir holds the private PostgreSQL, and certificates by ACME.
	StateDir string
	Keep     Retention
	// CompactAfter is after how long a day's events are compacted; 0: never.
	CompactAfter time.Duration
	// KeepAccess is for how long it is kept who looked; 0: for ever.
	KeepAccess time.Duration
	// Screenshots is the folder of pictures, kept for KeepScreenshots (0: for ever), of at
	// most ScreenshotsMaxBytes together (0: nothing bounds them).
	Screenshots         string
	KeepScreenshots     time.Duration
	ScreenshotsMaxBytes int
	// KeepBackups is for how long backups are kept, wherever; 0: nobody said.
	KeepBackups time.Duration
	Log         Log
	// Listen is the address that everybody calls.
	Listen string
	TLS    TLS
	// Proxies are believed who calls, in the header ProxyHeader.
	Proxies     []string
	ProxyHeader string
	// MaxConnections is how many there may be at once.
	MaxConnections int
	// MetricsListen is another address for /metrics; empty: none.
	MetricsListen string
	// ShutdownDelay is for how long to answer on after being asked to stop.
	ShutdownDelay time.Duration
	// Packages is the folder of what hosts install, BaseURL where they find the
	// server.
	Packages, BaseURL string
	SSO               SSO
	// FirstTokenToLog makes an administrator's token where there is none, and logs it.
	FirstTokenToLog bool
	// Service is set where the settings are those of the package's service.
	Service bool
}

// Database is where everything is kept.
type Database struct {
	// URL names it; empty: a private PostgreSQL in the state folder.
	URL string
	// PasswordFile holds its password, apart from its URL.
	PasswordFile string
	// ReplicaURL names a standby for reports, which may be ReplicaMaxLag behind.
	ReplicaURL    string
	ReplicaMaxLag time.Duration
	// NoMigrate leaves the schema to the migrate command.
	NoMigrate bool
}

// Retention is for how long each kind of data is kept; 0: for ever.
type Retention struct{ Events, Titles, Rollups time.Duration }

// Log is what the log looks like.
type Log struct {
	// Format is text or json.
	Format string
	Level  slog.Level
}

// TLS is where the certificate comes from; empty: nowhere.
type TLS struct {
	Cert, Key string
	// ACMEDomains are the names to get a certificate for, by the other settings.
	ACMEDomains                                []string
	ACMEEmail, ACMEHTTP, ACMEDirectory, ACMECA string
}

// SSO is how people log in by an OpenID provider.
type SSO struct {
	// Issuer is the provider's URL; empty: there is none.
	Issuer, ClientID string
	// SecretFile holds the client's secret, RolesFile what groups there give here.
	SecretFile, RolesFile string
	// GroupsClaim is where the provider has somebody's groups, Scopes what is asked for
	// beside openid.
	GroupsClaim string
	Scopes      []string
	// Only means that nobody logs in by password.
	Only bool
}

// check finds settings without those that they need.
func (s SSO) check(baseURL string) error {
	switch given := s.ClientID != "" || s.SecretFile != "" || s.RolesFile != "" || s.Only; {
	case s.Issuer == "" && given:
		return errors.New("--sso-issuer or TRACKERD_SERVER_SSO_ISSUER is missing; the other settings of single sign-on are for it")
	case s.Issuer == "":
		return nil
	case s.ClientID == "" || s.RolesFile == "" || baseURL == "":
		return errors.New("single sign-on (--sso-issuer) needs --sso-client-id, --sso-roles-file and --base-url as well")
	}
	return nil
}

// OwnName is the name that a server with certificates by ACME answers to, and to no
// other; empty where it has none.
func (c Config) OwnName() string {
	if len(c.TLS.ACMEDomains) == 0 {
		return ""
	}
	return c.TLS.ACMEDomains[0]
}

// finish fills in and checks what takes more than one setting.
func (c *Config) finish() error {
	if c.Database.ReplicaURL != "" && c.Database.URL == "" {
		return errors.New("REPLICA_DATABASE_URL needs DATABASE_URL: the private PostgreSQL has no replica")
	}
	if err := c.SSO.check(c.BaseURL); err != nil {
		return err
	}
	if c.StateDir == "" {
		c.StateDir = defaultStateDir(c.Service)
	}
	if c.Screenshots == "" {
		c.Screenshots = filepath.Join(c.StateDir, "screenshots")
	}
	return c.Database.addPassword()
}

func defaultStateDir(service bool) string {
	if os.Geteuid() == 0 || service {
		return RootStateDir
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return dir + "/trackerd-server"
	}
	return os.Getenv("HOME") + "/.local/state/trackerd-server"
}
