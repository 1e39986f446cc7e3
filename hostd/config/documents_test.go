package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each key stands in every document that lists keys, with its default where that is a
// number or a path; and none lists a key that is not there.
func TestDocumentsListKeys(t *testing.T) {
	defaults := map[string]string{
		"collect_interval_sec": fmt.Sprint(DefaultCollectInterval.Seconds()), "send_interval_sec": fmt.Sprint(DefaultSendInterval.Seconds()),
		"idle_after_sec": fmt.Sprint(DefaultIdleAfter.Seconds()), "buffer_path": DefaultBufferPath,
	}
	var keys, shown []string
	for _, k := range fileKeys() {
		keys = append(keys, k.name)
		shown = append(shown, k.name)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| ([^|]*)\\|")
	for _, d := range []struct {
		file string
		// begins and ends are around the list; key matches a key and its default, where that
		// is there.
		begins, ends string
		key          *regexp.Regexp
		want         []string
	}{
		{"../../README.md", "| key | default | |", "\n\n", row, shown},
		{"../../README.ru.md", "| ключ | по умолчанию | |", "\n\n", row, shown},
		{"../../packaging/trackerd/man/trackerd-config.5", ".SH", ".SH POLICY", regexp.MustCompile(`(?m)^\.TP\n\.B ([a-z_.]+)$()`), keys},
		{"../../packaging/trackerd/config.yaml", "#server_url", "", regexp.MustCompile(`(?m)^#([a-z_]+):(?: "?([^" \n]*)"?)?`), slices.Concat(without(shown, "features."), []string{"features"})},
		{"../../packaging/trackerd/config.yaml", "#features:", "", regexp.MustCompile(`(?m)^  #([a-z_]+):()`), only(shown, "features.")},
	} {
		t.Run(d.file+" from "+d.begins, func(t *testing.T) {
			text, err := os.ReadFile(d.file)
			if err != nil {
				t.Fatal(err)
			}
			_, list, found := strings.Cut(string(text), d.begins)
			list = d.begins + list
			if d.ends != "" {
				list, _, _ = strings.Cut(list, d.ends)
			}
			if !found {
				t.Fatalf("there is no %q", d.begins)
			}
			var listed []string
			for _, m := range d.key.FindAllStringSubmatch(list, -1) {
				listed = append(listed, m[1])
				value, want := strings.Trim(m[2], " `"), defaults[m[1]]
				if want != "" && value != "" && value != want {
					t.Errorf("%s is %s by default, not %s", m[1], want, value)
				}
			}
			slices.Sort(listed)
			slices.Sort(d.want)
			if !slices.Equal(listed, d.want) {
				t.Errorf("it lists %v, want %v", listed, d.want)
			}
		})
	}
}

// only returns the names after a prefix of those that begin with it.
func only(names []string, prefix string) (list []string) {
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			list = append(list, rest)
		}
	}
	return list
}

func without(names []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.HasPrefix(name, prefix) })
}
