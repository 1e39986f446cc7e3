package backup

import (
	"errors"
	"net/url"
	"strings"
)

// errConnInfo does not repeat what it could not read: a password is in it.
var errConnInfo = errors.New("the database URL can't be read: want postgres://user@host:port/database")

// variables returns libpq's variables for the parameters of a connection. What is not
// among them is pgx's own, such as the size of its pool.
func variables() map[string]string {
	return map[string]string{
		"host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
		"dbname": "PGDATABASE", "database": "PGDATABASE", "passfile": "PGPASSFILE", "service": "PGSERVICE", "servicefile": "PGSERVICEFILE",
		"sslmode": "PGSSLMODE", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslrootcert": "PGSSLROOTCERT", "sslcrl": "PGSSLCRL",
		"sslsni": "PGSSLSNI", "sslnegotiation": "PGSSLNEGOTIATION", "gssencmode": "PGGSSENCMODE", "krbsrvname": "PGKRBSRVNAME",
		"ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION", "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
		"channel_binding": "PGCHANNELBINDING", "target_session_attrs": "PGTARGETSESSIONATTRS",
		"connect_timeout": "PGCONNECT_TIMEOUT", "options": "PGOPTIONS",
	}
}

// Environment returns libpq's variables, as NAME=value, that lead to a database.
func Environment(databaseURL string) ([]string, error) {
	var params map[string]string
	var err error
	if scheme, rest, _ := strings.Cut(databaseURL, "://"); scheme == "postgres" || scheme == "postgresql" {
		params, err = parseURL(rest)
	} else {
		params, err = parsePairs(databaseURL)
	}
	if err != nil {
		return nil, err
	}
	var env []string
	known := variables()
	for name, value := range params {
		if variable := known[name]; variable != "" && value != "" {
			if strings.ContainsRune(value, 0) {
				return nil, errConnInfo
			}
			env = append(env, variable+"="+value)
		}
	}
	return env, nil
}

// parseURL reads what comes after postgres://. Go's URLs allow only one host.
func parseURL(rest string) (map[string]string, error) {
	params := map[string]string{}
	set := func(name, escaped string) error {
		value, err := url.PathUnescape(escaped)
		if err != nil {
			return errConnInfo
		}
		if value != "" {
			params[name] = value
		}
		return nil
	}
	// As libpq does: a "?" may stand in a password.
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		user, password, _ := strings.Cut(rest[:i], ":")
		if err := errors.Join(set("user", user), set("password", password)); err != nil {
			return nil, errConnInfo
		}
		rest = rest[i+1:]
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, database, _ := strings.Cut(rest, "/")
	var hosts, ports []string
	for one := range strings.SplitSeq(authority, ",") {
		host, port := one, ""
		if i := strings.LastIndex(one, ":"); i > strings.LastIndex(one, "]") {
			host, port = one[:i], one[i+1:]
		}
		if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
			host = host[1 : len(host)-1]
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	err := errors.Join(set("host", strings.Join(hosts, ",")), set("dbname", database))
	if strings.Trim(strings.Join(ports, ""), ",") != "" {
		err = errors.Join(err, set("port", strings.Join(ports, ",")))
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		err = errors.Join(err, set(name, value))
	}
	if err != nil {
		return nil, errConnInfo
	}
	return params, nil
}

// parsePairs reads key=value, key = 'va\'lue' and so on.
func parsePairs(text string) (map[string]string, error) {
	const blanks = " \t\n\r\v\f"
	params := map[string]string{}
	for text = strings.TrimLeft(text, blanks); text != ""; text = strings.TrimLeft(text, blanks) {
		name, rest, ok := strings.Cut(text, "=")
		name = strings.Trim(name, blanks)
		if !ok || name == "" || strings.ContainsAny(name, blanks) {
			return nil, errConnInfo
		}
		value, after, ok := pairValue(strings.TrimLeft(rest, blanks), blanks)
		if !ok {
			return nil, errConnInfo
		}
		params[name], text = value, after
	}
	return params, nil
}

// pairValue reads one value, quoted or not, and returns what comes after.
func pairValue(text, blanks string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '\\':
			return "", "", false
		case quoted && c == '\'':
			return b.String(), text[i+1:], true
		case !quoted && strings.IndexByte(blanks, c) >= 0:
			return b.String(), text[i:], true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", !quoted
}
