package config

import (
	"errors"
	"path/filepath"
	"strings"
)

// Places are where a daemon keeps its files.
type Places struct {
	Config     string
	Enrollment string
	Credential string
	Buffer     string
}

// UserPlaces returns the places of a daemon that one person runs without root,
// from the environment as os.Environ returns it: the folders of the XDG base
// directories, so that it needs no file outside that person's own.
func UserPlaces(environ []string) (Places, error) {
	env := make(map[string]string, len(environ))
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	home := env["HOME"]
	if !filepath.IsAbs(home) {
		return Places{}, errors.New("HOME names no folder; log in as the user who is to be measured")
	}
	folder := func(name, fallback string) string {
		// The specification has relative paths ignored.
		if dir := env[name]; filepath.IsAbs(dir) {
			return filepath.Join(dir, "activity-tracker")
		}
		return filepath.Join(home, fallback, "activity-tracker")
	}
	settings, data := folder("XDG_CONFIG_HOME", ".config"), folder("XDG_DATA_HOME", ".local/share")
	return Places{
		Config:     filepath.Join(settings, "config.yaml"),
		Enrollment: filepath.Join(settings, "enrollment.yaml"),
		Credential: filepath.Join(settings, "credential"),
		Buffer:     filepath.Join(data, "buffer.db"),
	}, nil
}
