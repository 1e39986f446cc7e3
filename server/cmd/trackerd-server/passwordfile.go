package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// envPasswordFile names a file with the database's password, as containers have
// it.
const envPasswordFile = "DATABASE_PASSWORD_FILE"

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

// addPasswordFile puts what the file says into the database URL, and the
// replica's.
func (s *settings) addPasswordFile() error {
	if s.passwordFile == "" {
		return nil
	}
	if s.databaseURL == "" {
		return fmt.Errorf("--database-password-file or %s is for --database-url or %s, which is missing", envPasswordFile, envDatabase)
	}
	password, err := readPassword(s.passwordFile)
	if err != nil {
		return err
	}
	if s.databaseURL, err = withPassword(s.databaseURL, password); err != nil || s.replicaURL == "" {
		return err
	}
	// A replica has the same roles and passwords.
	s.replicaURL, err = withPassword(s.replicaURL, password)
	return err
}
