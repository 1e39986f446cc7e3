package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The man page names every command, every flag and every variable of the
// environment.
func TestManPage(t *testing.T) {
	source, err := os.ReadFile("../../../packaging/trackerd-server/man/trackerd-server.8")
	if err != nil {
		t.Fatal(err)
	}
	page := manText(string(source))
	root := newRoot("development")
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, cmd := range allCommands(root) {
		// A group of commands is described by its members, and so are the
		// shells that there are completions for.
		path := strings.TrimPrefix(cmd.CommandPath(), "trackerd-server ")
		shell := strings.HasPrefix(path, "completion ")
		if !cmd.HasSubCommands() && !shell && !strings.Contains(page, "\n"+path) {
			t.Errorf("it does not tell of the command %s", path)
		}
		cmd.InitDefaultHelpFlag()
		cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !regexp.MustCompile(`--`+f.Name+`\b`).MatchString(page) {
				t.Errorf("it does not tell of --%s of %s", f.Name, path)
			}
		})
	}
	for _, name := range regexp.MustCompile(`(TRACKERD_SERVER|DATABASE)_[A-Z_]+`).FindAllString(root.Long, -1) {
		if !strings.Contains(page, name) {
			t.Errorf("it does not tell of the variable %s", name)
		}
	}
}

func allCommands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			all = append(all, allCommands(sub)...)
		}
	}
	return all
}

// manText is a man page's text: requests for fonts and their quotes taken away.
func manText(source string) string {
	text := regexp.MustCompile(`(?m)^\.[A-Z]{1,2} `).ReplaceAllString(source, "")
	text = regexp.MustCompile(`\\f[A-Z]`).ReplaceAllString(text, "")
	return strings.NewReplacer(`\-`, "-", `"`, "").Replace(text)
}
