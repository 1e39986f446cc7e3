package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// envPrefix begins the names of our variables. What begins so in a file and is none is
// misspelt: days to keep data for that nobody reads would be noticed too late. The
// environment may hold those of other programs.
const envPrefix = "TRACKERD_SERVER_"

// envFileFlag names the file of settings; it is no setting of the environment.
const envFileFlag = "env-file"

// ServicePackages is the package's folder for the agent's packages. It is root's,
// so that the service can read and never change what hosts install.
const ServicePackages = "/var/lib/trackerd-packages"

// Error is a setting that is wrong.
type Error struct {
	// OnCommandLine is set where a flag is wrong, and no other place.
	OnCommandLine bool
	err           error
}

// Error returns what is wrong with which setting.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.err }

// Flags holds the values that a command line sets.
type Flags struct{ values map[string]*value }

// NewFlags returns flags that nobody has given yet.
func NewFlags() *Flags {
	f := &Flags{values: map[string]*value{}}
	for _, s := range Settings() {
		f.values[s.Flag] = &value{setting: s}
	}
	return f
}

// AddTo adds the flags of a scope to a command's.
func (f *Flags) AddTo(set *pflag.FlagSet, scope Scope) {
	for _, s := range Settings() {
		if s.In&scope == 0 {
			continue
		}
		flag := set.VarPF(f.values[s.Flag], s.Flag, "", s.usage())
		if s.Unit == "" {
			flag.NoOptDefVal = "true"
		}
	}
}

// usage is what --help prints.
func (s *Setting) usage() string {
	switch {
	case s.Default != "" && s.Default != "0":
		return fmt.Sprintf("%s (default %s)", s.Help, s.Default)
	case s.Note != "":
		return fmt.Sprintf("%s (default: %s)", s.Help, s.Note)
	}
	return s.Help
}

// value is a flag as text: it is read with the environment's, by the same rules.
type value struct {
	setting Setting
	given   []string
}

// Set keeps the text; an empty one is as none.
func (v *value) Set(text string) error {
	if !v.setting.Many {
		v.given = nil
	}
	if text != "" {
		v.given = append(v.given, text)
	}
	return nil
}

// String returns the text.
func (v *value) String() string { return strings.Join(v.given, ",") }

// Type is what --help calls the value.
func (v *value) Type() string {
	if v.setting.Unit == "" {
		return "bool"
	}
	return v.setting.Unit
}

// Load reads the settings of a scope: from flags, else from the environment, else
// from the file of settings, else the defaults. A file's settings become part of the
// environment. Root goes on as the service's user where the file is the service's.
func (f *Flags) Load(scope Scope) (Config, error) {
	c := Config{}
	service, err := f.adoptFile()
	if err != nil && scope&Everywhere != 0 {
		return c, &Error{err: err}
	}
	c.Service = service
	for _, s := range Settings() {
		if s.In&scope == 0 {
			continue
		}
		if err := f.read(&c, s); err != nil {
			return c, err
		}
	}
	if scope&Everywhere == 0 {
		return c, nil
	}
	if err := c.finish(); err != nil {
		return c, &Error{err: err}
	}
	return c, nil
}

// read sets one setting.
func (f *Flags) read(c *Config, s Setting) error {
	name, values := "--"+s.Flag, f.values[s.Flag].given
	if len(values) == 0 && s.Env != "" && os.Getenv(s.Env) != "" {
		name, values = s.Env, []string{os.Getenv(s.Env)}
	}
	if len(values) == 0 && s.Default != "" {
		values = []string{s.Default}
	}
	if len(values) == 0 {
		return nil
	}
	if err := s.set(c, values); err != nil {
		return &Error{name == "--"+s.Flag, fmt.Errorf("%s %q: %w", name, strings.Join(values, ","), err)}
	}
	return nil
}

// adoptFile puts the variables of the file of settings into the environment, behind
// those that are there. Without --env-file it is the service's, so that a command
// finds the service's database by itself; not where a database of another was named.
func (f *Flags) adoptFile() (service bool, err error) {
	path := f.values[envFileFlag].String()
	named := path != ""
	if !named {
		if f.given("database-url") || f.given("state-dir") {
			return false, nil
		}
		path = ServiceEnvFile
	}
	variables, err := readEnvFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return false, nil
	case errors.Is(err, fs.ErrPermission) && !named:
		return false, fmt.Errorf("%w: run this as root or %s, or name a database of your own with --database-url or --state-dir", err, ServiceUser)
	case err != nil:
		return false, err
	}
	for _, v := range variables {
		if strings.HasPrefix(v.name, envPrefix) && !isSetting(v.name) {
			return false, fmt.Errorf("%s: there is no setting %s; man trackerd-server.env has all", path, v.name)
		}
		if _, set := os.LookupEnv(v.name); set {
			continue
		}
		if err := os.Setenv(v.name, v.value); err != nil {
			return false, fmt.Errorf("%s: %s: %w", path, v.name, err)
		}
	}
	if path != ServiceEnvFile {
		return false, nil
	}
	if os.Geteuid() == 0 {
		return true, becomeService()
	}
	return true, nil
}

// isSetting reports whether a variable is in the table.
func isSetting(name string) bool {
	return slices.ContainsFunc(Settings(), func(s Setting) bool { return s.Env == name })
}

// given reports whether a flag or the environment names a setting.
func (f *Flags) given(flag string) bool {
	v := f.values[flag]
	return len(v.given) > 0 || os.Getenv(v.setting.Env) != ""
}

// Wrong returns the error of settings that a part of the server does not take.
func Wrong(err error) error { return &Error{err: err} }
