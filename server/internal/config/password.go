package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// maxPasswordBytes bounds a password: more is another file.
const maxPasswordBytes = 1024

// readPassword reads a password alone in a file.
func readPassword(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the database's password: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxPasswordBytes+1))
	if err != nil {
		return "", fmt.Errorf("reading the database's password: %w", err)
	}
	password := strings.TrimRight(string(b), "\r\n")
	if password == "" || len(b) > maxPasswordBytes || strings.ContainsAny(password, "\x00\r\n") {
		return "", fmt.Errorf("%s: want the database's password, one line of at most %d bytes", path, maxPasswordBytes)
	}
	return password, nil
}

// withPassword puts a password into a database URL, or into the form key=value.
func withPassword(databaseURL, password string) (string, error) {
	if !strings.HasPrefix(databaseURL, "postgres://") && !strings.HasPrefix(databaseURL, "postgresql://") {
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)
		return databaseURL + " password='" + quoted + "'", nil
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		// Its error repeats the URL.
		return "", errors.New("the database URL can't be read: want postgres://user@host:port/database")
	}
	if _, given := u.User.Password(); given || u.Query().Has("password") {
		return "", errors.New("the database URL has a password, and there is a file with one: leave one of them out")
	}
	if u.User.Username() == "" {
		// PostgreSQL's URLs know no "+" for a blank.
		pair := "password=" + strings.ReplaceAll(url.QueryEscape(password), "+", "%20")
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+pair, "&")
	} else {
		u.User = url.UserPassword(u.User.Username(), password)
	}
	return u.String(), nil
}

// addPassword puts what the file holds into the database's URL and the replica's,
// which has the same roles and passwords.
func (d *Database) addPassword() error {
	if d.PasswordFile == "" {
		return nil
	}
	if d.URL == "" {
		return errors.New("--database-password-file or DATABASE_PASSWORD_FILE is for --database-url or DATABASE_URL, which is missing")
	}
	password, err := readPassword(d.PasswordFile)
	if err != nil {
		return err
	}
	if d.URL, err = withPassword(d.URL, password); err != nil || d.ReplicaURL == "" {
		return err
	}
	d.ReplicaURL, err = withPassword(d.ReplicaURL, password)
	return err
}
