package config

import (
	"strings"

	"activity-tracker.example/hostd/text"
)

const (
	envPrefix = "TRACKERD_"
	// serverPrefix begins the variables of trackerd-server, which may run on
	// the same machine; TRACKERD_SERVER_URL alone is ours.
	serverPrefix = envPrefix + "SERVER_"
	// environmentSource names the environment in complaints.
	environmentSource = "environment"
)

// envName is the variable that sets a key: TRACKERD_FEATURES_SCREENSHOTS for
// features.screenshots.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// environment applies the variables. An empty one counts as not set; a
// misspelt one is an error like a misspelt key.
func (l *loader) environment(environ []string) error {
	keys := fileKeys()
	known := make([]key, 0, len(keys))
	byName := make(map[string]key, len(keys))
	for _, k := range keys {
		byName[envName(k.name)] = k
		k.name = envName(k.name)
		known = append(known, k)
	}
	for _, pair := range environ {
		name, given, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || given == "" {
			continue
		}
		k, ok := byName[name]
		if !ok {
			if strings.HasPrefix(name, serverPrefix) {
				continue
			}
			return &Error{Source: environmentSource, Key: text.Line(name, maxShown), Problem: unknownKey(name, known)}
		}
		v, err := variable(k, given)
		if err == nil {
			err = k.set(&l.cfg, v)
		}
		if err != nil {
			return &Error{Source: environmentSource, Key: name, Problem: err.Error()}
		}
		l.from[k.name] = environmentSource
	}
	return nil
}

// variable reads a variable as its key wants it.
func variable(k key, given string) (value, error) {
	switch {
	case k.kind == kindMap, k.kind == kindList && strings.HasPrefix(given, "["):
		return parseVariable(given)
	case k.kind == kindList:
		return splitList(given), nil
	}
	return value{kind: kindAny, text: given}, nil
}

// splitList reads a list out of a variable, such as "rdp,local".
func splitList(given string) value {
	list := value{kind: kindList}
	for item := range strings.SplitSeq(given, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list.items = append(list.items, value{kind: kindString, text: item})
		}
	}
	return list
}
