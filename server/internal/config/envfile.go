package config

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxEnvFileBytes bounds the file: some 20 settings with their comments are 4 kB.
const maxEnvFileBytes = 64 << 10

// variable is one line of an environment file.
type variable struct{ name, value string }

func readEnvFile(path string) ([]variable, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer func() { _ = f.Close() }()
	variables, err := parseEnv(f)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return variables, nil
}

// parseEnv reads lines of NAME=VALUE as systemd's EnvironmentFile= would, and
// refuses what is left open there or easily misread. Errors begin with the line's
// number and never show a value, which may be a password.
func parseEnv(r io.Reader) ([]variable, error) {
	limited := &io.LimitedReader{R: r, N: maxEnvFileBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxEnvFileBytes)
	var list []variable
	seen := map[string]int{}
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		v, err := parseVariable(line)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		if first, twice := seen[v.name]; twice {
			return nil, fmt.Errorf("%d: %s is set in line %d already", n, v.name, first)
		}
		seen[v.name] = n
		list = append(list, v)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf(" %w", err)
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf(" more than %d bytes", maxEnvFileBytes)
	}
	return list, nil
}

func parseVariable(line string) (variable, error) {
	name, value, ok := strings.Cut(line, "=")
	if !ok || !isVariableName(name) {
		return variable{}, errors.New("want NAME=VALUE, with letters, digits and _ in the name")
	}
	value = strings.TrimSpace(value)
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		quote := value[:1]
		if value = value[1 : n-1]; strings.Contains(value, quote) {
			return variable{}, fmt.Errorf("%s: a quote inside quotes", name)
		}
	} else if strings.ContainsAny(value, `"'`) {
		return variable{}, fmt.Errorf("%s: quotes go around the whole value", name)
	}
	if strings.Contains(value, `\`) || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return variable{}, fmt.Errorf("%s: a backslash or a control character; in a URL, write it as %%5C", name)
	}
	return variable{name, value}, nil
}

func isVariableName(name string) bool {
	for i, c := range name {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
