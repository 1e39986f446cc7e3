package db

import (
	"fmt"
	"strings"
)

// urlErrors returns pgx's messages about a database URL that it can't read.
func urlErrors() []string {
	return []string{
		"failed to parse as URL", "failed to parse as keyword/value", "failed to read service", "failed to configure TLS",
		"invalid port", "could not match", "invalid connect_timeout", "invalid sslcertmode", "invalid require_auth",
		"invalid min_protocol_version", "invalid max_protocol_version", "min_protocol_version cannot be greater",
		"unknown target_session_attrs", "unknown channel_binding", "invalid default_query_exec_mode",
		"cannot parse statement_cache_capacity", "cannot parse description_cache_capacity",
		"pool_max_conns too small", "cannot parse pool_max_conns", "cannot parse pool_min_conns", "cannot parse pool_min_idle_conns",
		"cannot parse pool_max_conn_lifetime", "cannot parse pool_max_conn_idle_time", "cannot parse pool_health_check_period",
		"cannot parse pool_ping_timeout",
	}
}

// unreadableURL turns pgx's error into one without the URL: what pgx leaves out of
// it as a password is a guess where it can't be read.
func unreadableURL(err error) error {
	what := "can't be read"
	for _, known := range urlErrors() {
		if strings.Contains(err.Error(), "`: "+known) {
			what = known
			break
		}
	}
	return fmt.Errorf("reading the database URL: %s (want postgres://user:password@host:port/database)", what)
}
