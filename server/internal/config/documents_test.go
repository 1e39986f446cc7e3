package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// repository is the repository's folder as seen from this package's.
const repository = "../../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// manText is a man page's text: fonts and their quotes taken away, entries parted by
// empty lines.
func manText(source string) string {
	source = strings.NewReplacer(".TP\n", "\n", ".TQ\n", "").Replace(source)
	text := regexp.MustCompile(`(?m)^\.[A-Z]{1,2} ?`).ReplaceAllString(source, "")
	text = regexp.MustCompile(`\\f[A-Z]`).ReplaceAllString(text, "")
	return strings.NewReplacer(`\-`, "-", `"`, "").Replace(text)
}

// entry is the entry of a man page that begins with that name.
func entry(page, name string) string {
	for part := range strings.SplitSeq(page, "\n\n") {
		if regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `( |$)`).MatchString(part) {
			return part
		}
	}
	return ""
}

// The command's man page has every flag with its default, and every variable with its
// flag.
func TestManPageOfTheCommand(t *testing.T) {
	page := manText(read(t, "packaging/trackerd-server/man/trackerd-server.8"))
	for _, s := range Settings() {
		about := entry(page, "--"+s.Flag)
		if about == "" || s.Default != "" && !strings.Contains(about, s.Default) {
			t.Errorf("--%s and its default %q are not both in: %q", s.Flag, s.Default, about)
		}
		if s.Env != "" && !strings.Contains(entry(page, s.Env), "--"+s.Flag) {
			t.Errorf("%s does not name --%s: %q", s.Env, s.Flag, entry(page, s.Env))
		}
	}
}

// The file's man page and the packaged file have no variable that is none, and the
// defaults as they are.
func TestDocumentsOfTheFile(t *testing.T) {
	known := map[string]Setting{}
	for _, s := range Settings() {
		known[s.Env] = s
	}
	page := manText(read(t, "packaging/trackerd-server/man/trackerd-server.env.5"))
	for _, name := range regexp.MustCompile(`(?m)^TRACKERD_SERVER_[A-Z_]+$`).FindAllString(page, -1) {
		if s, ok := known[name]; !ok || s.Default != "" && !strings.Contains(entry(page, name), s.Default) {
			t.Errorf("%s and its default %q are not both in: %q", name, s.Default, entry(page, name))
		}
	}
	line := regexp.MustCompile(`(?m)^#?([A-Z_]+)=(.*)$`)
	for _, found := range line.FindAllStringSubmatch(read(t, "packaging/trackerd-server/server.env"), -1) {
		if s, ok := known[found[1]]; !ok || s.Default != "" && s.Default != found[2] {
			t.Errorf("server.env has %q; the default is %q", found[0], s.Default)
		}
	}
}

// No other document names a variable that is none.
func TestVariablesInDocuments(t *testing.T) {
	known := map[string]bool{}
	for _, s := range Settings() {
		known[s.Env] = true
	}
	for _, file := range []string{"README.md", "server/README.md", "server/docker-compose.yml", "packaging/trackerd-server/trackerd-server.service"} {
		for _, name := range regexp.MustCompile(`TRACKERD_SERVER_[A-Z_]*[A-Z]`).FindAllString(read(t, file), -1) {
			if !known[name] {
				t.Errorf("%s names %s, which is no setting", file, name)
			}
		}
	}
}

// Where documents have for how long data is kept, it is so long.
func TestRetentionInDocuments(t *testing.T) {
	days := map[string]string{}
	for _, s := range Settings() {
		if s.Unit == "DAYS" {
			days[s.Flag] = s.Default
		}
	}
	for _, file := range []string{"README.md", "server/README.md", "server/internal/httpapi/openapi/openapi.json"} {
		text := strings.Join(strings.Fields(strings.ReplaceAll(read(t, file), "1,100", "1100")), " ")
		if !strings.Contains(text, days["keep-events-days"]+" days") || !strings.Contains(text, days["keep-rollups-days"]) {
			t.Errorf("%s does not tell that events are kept for %s days and sums for %s", file, days["keep-events-days"], days["keep-rollups-days"])
		}
	}
}
