package db

import (
	"strings"
	"testing"
)

// An error about a database URL has what is wrong with it and never what is in it.
func TestUnreadableURL(t *testing.T) {
	const secret = "hunter2"
	for _, test := range []struct{ url, says string }{
		{"host=127.0.0.1 port=x user=u password = " + secret, "invalid port"},
		{"password = " + secret + " port = x", "invalid port"},
		{"postgres://u:sEc@" + secret + "@h/x?sslmode=bad", "failed to configure TLS"},
		{"postgres://u:" + secret + "%zz@h/x", "failed to parse as URL"},
		{"postgres://u:p@" + secret + ":y/x", "invalid port"},
		{"host=h password='" + secret, "failed to parse as keyword/value"},
		{"postgres://u:" + secret + "@h/x?pool_max_conns=many", "cannot parse pool_max_conns"},
		{"postgres://u:" + secret + "@h/x?pool_max_conns=0", "pool_max_conns too small"},
		{"postgres://u:" + secret + "@h/x?pool_max_conn_lifetime_jitter=" + secret, "cannot parse pool_max_conn_lifetime"},
		{"postgres://u:" + secret + "@h/x?default_query_exec_mode=" + secret, "invalid default_query_exec_mode"},
		{"postgres://u:" + secret + "@h/x?target_session_attrs=" + secret, "unknown target_session_attrs"},
	} {
		_, err := Open(t.Context(), test.url, Options{})
		if err == nil {
			t.Errorf("%s is read", test.url)
			continue
		}
		if said := err.Error(); strings.Contains(said, secret) || !strings.Contains(said, ": "+test.says) {
			t.Errorf("%s\ngives %s\nwant %s", test.url, said, test.says)
		}
	}
}
