package config

import (
	"slices"
	"time"
)

// Scope is which commands take a setting; several are joined by |.
type Scope int

// The scopes.
const (
	// Everywhere is every command that works on the database.
	Everywhere Scope = 1 << iota
	// Serve, Doctor, Healthcheck and Invite are these commands.
	Serve
	Doctor
	Healthcheck
	Invite
)

// Setting is one row of the table of settings: a flag, the variable of the environment
// that is the same, and what holds where neither is given.
type Setting struct {
	// Flag is its name without the dashes.
	Flag string
	// Env is the variable; empty: none.
	Env string
	// Default is what holds else; empty: nothing, or what Note has.
	Default string
	// Unit is what the value is called or counted in: FILE, DAYS, TIME; empty for
	// a switch.
	Unit string
	// Note is in words what holds where there is no Default.
	Note string
	Help string
	// In are the commands that take it.
	In Scope
	// Many is set where it may be given several times; commas part the values.
	Many bool
	set  func(*Config, []string) error
}

const (
	// maxKeepDays is a century: more is a mistake.
	maxKeepDays = 36_525
	// maxScreenshotsBytes is a petabyte: more is a mistake.
	maxScreenshotsBytes = 1_000_000_000_000_000
	// maxConnections is more connections than one process is good for.
	maxConnections = 1_000_000
	// minReplicaLag is twice the grain in which lag is measured; with more than
	// maxReplicaLag nobody would see his own day.
	minReplicaLag = 2 * time.Second
	maxReplicaLag = time.Hour
	// maxShutdownDelay is more than a load balancer needs to notice; the service and
	// the container are given that much more time to end.
	maxShutdownDelay = 2 * time.Minute
)

// Settings returns the table, in the order of --help.
func Settings() []Setting {
	return slices.Concat(databaseSettings(), retentionSettings(), logSettings(), listenerSettings(), acmeSettings(), proxySettings(), hostSettings(), ssoSettings())
}

// databaseSettings name the database, for all commands.
func databaseSettings() []Setting {
	return []Setting{
		{
			Flag: "database-url", Env: "DATABASE_URL", Unit: "URL", Note: "a private one",
			Help: "PostgreSQL to use, as postgres://user@host/database", In: Everywhere,
			set: text(func(c *Config) *string { return &c.Database.URL }),
		},
		{
			Flag: "database-password-file", Env: "DATABASE_PASSWORD_FILE", Unit: "FILE",
			Help: "file with the password for --database-url, alone in one line", In: Everywhere,
			set: text(func(c *Config) *string { return &c.Database.PasswordFile }),
		},
		{
			Flag: "replica-database-url", Env: "REPLICA_DATABASE_URL", Unit: "URL", Note: "none",
			Help: "streaming replica of that database to read reports from", In: Everywhere,
			set: text(func(c *Config) *string { return &c.Database.ReplicaURL }),
		},
		{
			Flag: "replica-max-lag", Env: "TRACKERD_SERVER_REPLICA_MAX_LAG", Default: "30s", Unit: "TIME",
			Help: "how far the replica may be behind before the database itself is asked", In: Everywhere,
			set: duration(minReplicaLag, maxReplicaLag, func(c *Config) *time.Duration { return &c.Database.ReplicaMaxLag }),
		},
		{
			Flag: "state-dir", Env: "TRACKERD_SERVER_STATE_DIR", Unit: "DIR",
			Note: RootStateDir + " for root, else ~/.local/state/trackerd-server",
			Help: "folder for the private PostgreSQL", In: Everywhere,
			set: text(func(c *Config) *string { return &c.StateDir }),
		},
		{
			Flag: envFileFlag, Unit: "FILE", Note: ServiceEnvFile,
			Help: "file of NAME=VALUE lines with the settings", In: Everywhere,
			set: func(*Config, []string) error { return nil },
		},
		{
			Flag: "no-migrate", Env: "TRACKERD_SERVER_NO_MIGRATE",
			Help: "leave the schema to the migrate command; serve waits for it", In: Everywhere,
			set: toggle(func(c *Config) *bool { return &c.Database.NoMigrate }),
		},
	}
}

// retentionSettings are for how long data is kept. Events and titles are kept for 13
// months: the same month a year ago can still be looked at. Sums are small and name
// no windows: three years, and as long who looked at any of it. Days are compacted after a week: a host that was away over
// holidays has reported by then, and a week more of the roomier form is a fiftieth of
// 13 months.
func retentionSettings() []Setting {
	return []Setting{
		{
			Flag: "keep-events-days", Env: "TRACKERD_SERVER_KEEP_EVENTS_DAYS", Default: "400", Unit: "DAYS",
			Help: "for how long events are kept; 0: for ever", In: Everywhere,
			set: days("for ever", func(c *Config) *time.Duration { return &c.Keep.Events }),
		},
		{
			Flag: "keep-titles-days", Env: "TRACKERD_SERVER_KEEP_TITLES_DAYS", Default: "400", Unit: "DAYS",
			Help: "for how long window titles are kept; 0: for ever", In: Everywhere,
			set: days("for ever", func(c *Config) *time.Duration { return &c.Keep.Titles }),
		},
		{
			Flag: "keep-rollups-days", Env: "TRACKERD_SERVER_KEEP_ROLLUPS_DAYS", Default: "1100", Unit: "DAYS",
			Help: "for how long the sums for reports are kept; 0: for ever", In: Everywhere,
			set: days("for ever", func(c *Config) *time.Duration { return &c.Keep.Rollups }),
		},
		{
			Flag: "keep-access-days", Env: "TRACKERD_SERVER_KEEP_ACCESS_DAYS", Default: "1100", Unit: "DAYS",
			Help: "for how long it is kept who looked at whose data; 0: for ever", In: Everywhere,
			set: days("for ever", func(c *Config) *time.Duration { return &c.KeepAccess }),
		},
		{
			Flag: "keep-screenshots-days", Env: "TRACKERD_SERVER_KEEP_SCREENSHOTS_DAYS", Default: "14", Unit: "DAYS",
			Help: "for how long pictures of screens are kept; 0: for ever", In: Everywhere,
			set: days("for ever", func(c *Config) *time.Duration { return &c.KeepScreenshots }),
		},
		{
			Flag: "screenshots", Env: "TRACKERD_SERVER_SCREENSHOTS", Unit: "DIR", Note: "screenshots in --state-dir",
			Help: "folder for pictures of screens, one for all servers of a database", In: Everywhere,
			set: text(func(c *Config) *string { return &c.Screenshots }),
		},
		{
			Flag: "screenshots-max-bytes", Env: "TRACKERD_SERVER_SCREENSHOTS_MAX_BYTES", Default: "10000000000", Unit: "BYTES",
			Help: "how much all of them take at most; 0: nothing bounds them", In: Everywhere,
			set: count(0, maxScreenshotsBytes, func(c *Config) *int { return &c.ScreenshotsMaxBytes }),
		},
		{
			Flag: "keep-backups-days", Env: "TRACKERD_SERVER_KEEP_BACKUPS_DAYS", Default: "0", Unit: "DAYS",
			Help: "for how long you keep backups, for certificates of erasure; 0: not known", In: Everywhere,
			set: days("not known", func(c *Config) *time.Duration { return &c.KeepBackups }),
		},
		{
			Flag: "compact-after-days", Env: "TRACKERD_SERVER_COMPACT_AFTER_DAYS", Default: "7", Unit: "DAYS",
			Help: "after how long a day's events are compacted; 0: never", In: Everywhere,
			set: days("never", func(c *Config) *time.Duration { return &c.CompactAfter }),
		},
	}
}

// logSettings are what the log looks like.
func logSettings() []Setting {
	return []Setting{
		{
			Flag: "log-format", Env: "TRACKERD_SERVER_LOG_FORMAT", Default: "text", Unit: "FORMAT",
			Help: "the log's lines: text or json", In: Everywhere,
			set: oneOf(func(c *Config) *string { return &c.Log.Format }, "text", "json"),
		},
		{
			Flag: "log-level", Env: "TRACKERD_SERVER_LOG_LEVEL", Default: "info", Unit: "LEVEL",
			Help: "what is logged: debug, info, warn or error", In: Everywhere, set: setLogLevel,
		},
		{Flag: "verbose", Help: "log every request: --log-level debug", In: Everywhere, set: setVerbose},
	}
}

// listenerSettings are where the server answers, and the certificate's files. On :8100
// it listens on all addresses: hosts report from elsewhere.
func listenerSettings() []Setting {
	return []Setting{
		{
			Flag: "listen", Env: "TRACKERD_SERVER_LISTEN", Default: ":8100", Unit: "ADDRESS:PORT",
			Help: "where the server listens", In: Serve | Doctor | Healthcheck, set: setListen,
		},
		{
			Flag: "tls-cert", Env: "TRACKERD_SERVER_TLS_CERT", Unit: "FILE",
			Help: "file with the certificate and its chain, in PEM; read again when it changes", In: Serve | Doctor,
			set: text(func(c *Config) *string { return &c.TLS.Cert }),
		},
		{
			Flag: "tls-key", Env: "TRACKERD_SERVER_TLS_KEY", Unit: "FILE",
			Help: "file with the certificate's key", In: Serve | Doctor,
			set: text(func(c *Config) *string { return &c.TLS.Key }),
		},
		{
			Flag: "max-connections", Env: "TRACKERD_SERVER_MAX_CONNECTIONS", Default: "10000", Unit: "CONNECTIONS",
			Help: "connections at once, beyond which callers get 503", In: Serve,
			set: count(1, maxConnections, func(c *Config) *int { return &c.MaxConnections }),
		},
		{
			Flag: "metrics-listen", Env: "TRACKERD_SERVER_METRICS_LISTEN", Unit: "ADDRESS:PORT", Note: "--listen",
			Help: "another address for /metrics, which --listen then has no more", In: Serve,
			set: text(func(c *Config) *string { return &c.MetricsListen }),
		},
		{
			Flag: "shutdown-delay", Env: "TRACKERD_SERVER_SHUTDOWN_DELAY", Default: "0", Unit: "TIME",
			Help: "how long to answer on after being told to stop, with 503 on /readyz, for a load balancer to notice", In: Serve,
			set: duration(0, maxShutdownDelay, func(c *Config) *time.Duration { return &c.ShutdownDelay }),
		},
	}
}

// acmeSettings are how certificates are got from an authority.
func acmeSettings() []Setting {
	return []Setting{
		{
			Flag: "acme-domain", Env: "TRACKERD_SERVER_ACME_DOMAIN", Unit: "NAME", Many: true,
			Help: "name to get a certificate for by ACME, accepting the authority's terms; repeatable", In: Serve | Doctor | Healthcheck,
			set: list(func(c *Config) *[]string { return &c.TLS.ACMEDomains }),
		},
		{
			Flag: "acme-email", Env: "TRACKERD_SERVER_ACME_EMAIL", Unit: "ADDRESS",
			Help: "whom the authority tells of trouble with certificates", In: Serve,
			set: text(func(c *Config) *string { return &c.TLS.ACMEEmail }),
		},
		{
			Flag: "acme-http", Env: "TRACKERD_SERVER_ACME_HTTP", Unit: "ADDRESS:PORT", Note: "TLS-ALPN-01 alone, on port 443 of the name",
			Help: "address for HTTP-01 challenges, such as :80", In: Serve,
			set: text(func(c *Config) *string { return &c.TLS.ACMEHTTP }),
		},
		{
			Flag: "acme-directory", Env: "TRACKERD_SERVER_ACME_DIRECTORY", Unit: "URL", Note: "Let's Encrypt",
			Help: "the authority's directory", In: Serve,
			set: text(func(c *Config) *string { return &c.TLS.ACMEDirectory }),
		},
		{
			Flag: "acme-ca", Env: "TRACKERD_SERVER_ACME_CA", Unit: "FILE", Note: "the system's",
			Help: "file with the certificates that the authority itself is known by", In: Serve,
			set: text(func(c *Config) *string { return &c.TLS.ACMECA }),
		},
	}
}

// proxySettings are who is believed who calls.
func proxySettings() []Setting {
	return []Setting{
		{
			Flag: "trusted-proxy", Env: "TRACKERD_SERVER_TRUSTED_PROXY", Unit: "NETWORK", Many: true,
			Help: "address or network of a proxy that says who calls; repeatable", In: Serve,
			set: list(func(c *Config) *[]string { return &c.Proxies }),
		},
		{
			Flag: "trusted-proxy-header", Env: "TRACKERD_SERVER_TRUSTED_PROXY_HEADER", Default: "x-forwarded-for", Unit: "NAME",
			Help: "in which header it does: x-forwarded-for or forwarded", In: Serve,
			set: oneOf(func(c *Config) *string { return &c.ProxyHeader }, "x-forwarded-for", "forwarded"),
		},
	}
}

// hostSettings are what hosts install, and how the first administrator gets in.
func hostSettings() []Setting {
	return []Setting{
		{
			Flag: "packages", Env: "TRACKERD_SERVER_PACKAGES", Unit: "DIR", Note: "of the service: " + ServicePackages,
			Help: "folder with the agent's signed apt repository, served below /packages/", In: Serve | Doctor,
			set: text(func(c *Config) *string { return &c.Packages }),
		},
		{
			Flag: "base-url", Env: "TRACKERD_SERVER_BASE_URL", Unit: "URL",
			Help: "where hosts find this server, such as https://tracker.example.org; with https, /install.sh installs the agent", In: Serve | Doctor | Invite,
			set: text(func(c *Config) *string { return &c.BaseURL }),
		},
		{
			Flag: "first-token-to-log", Env: "TRACKERD_SERVER_FIRST_TOKEN",
			Help: "where there is no API token at all, make an administrator's and log it; in the environment: log", In: Serve,
			set: setFirstToken,
		},
	}
}

// ssoSettings are how people log in by an OpenID provider.
func ssoSettings() []Setting {
	return []Setting{
		{
			Flag: "sso-issuer", Env: "TRACKERD_SERVER_SSO_ISSUER", Unit: "URL", Note: "no single sign-on",
			Help: "OpenID provider by which people log in, as it names itself", In: Serve | Doctor,
			set: text(func(c *Config) *string { return &c.SSO.Issuer }),
		},
		{
			Flag: "sso-client-id", Env: "TRACKERD_SERVER_SSO_CLIENT_ID", Unit: "ID",
			Help: "what the provider calls this server", In: Serve | Doctor,
			set: text(func(c *Config) *string { return &c.SSO.ClientID }),
		},
		{
			Flag: "sso-client-secret-file", Env: "TRACKERD_SERVER_SSO_CLIENT_SECRET_FILE", Unit: "FILE", Note: "PKCE alone",
			Help: "file of mode 0600 with the secret that the provider gave for it, alone in one line", In: Serve | Doctor,
			set: text(func(c *Config) *string { return &c.SSO.SecretFile }),
		},
		{
			Flag: "sso-roles-file", Env: "TRACKERD_SERVER_SSO_ROLES_FILE", Unit: "FILE",
			Help: "file of lines GROUP -> ROLE or GROUP -> ROLE: GROUP HERE; ANOTHER", In: Serve | Doctor,
			set: text(func(c *Config) *string { return &c.SSO.RolesFile }),
		},
		{
			Flag: "sso-groups-claim", Env: "TRACKERD_SERVER_SSO_GROUPS_CLAIM", Default: "groups", Unit: "NAME",
			Help: "claim in which the provider names somebody's groups", In: Serve | Doctor,
			set: text(func(c *Config) *string { return &c.SSO.GroupsClaim }),
		},
		{
			Flag: "sso-scope", Env: "TRACKERD_SERVER_SSO_SCOPE", Default: "profile", Unit: "NAME", Many: true,
			Help: "scope to ask for beside openid, such as groups; repeatable", In: Serve | Doctor,
			set: list(func(c *Config) *[]string { return &c.SSO.Scopes }),
		},
		{
			Flag: "sso-only", Env: "TRACKERD_SERVER_SSO_ONLY",
			Help: "let nobody log in by password; logins by password end", In: Serve | Doctor,
			set: toggle(func(c *Config) *bool { return &c.SSO.Only }),
		},
	}
}
