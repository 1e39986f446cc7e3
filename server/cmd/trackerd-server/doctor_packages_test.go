package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPackages(t *testing.T) {
	key, err := os.ReadFile("../../internal/repository/testdata/activity-tracker.gpg")
	if err != nil {
		t.Fatal(err)
	}
	folder := func(content []byte) string {
		dir := t.TempDir()
		for name, b := range map[string][]byte{"activity-tracker.gpg": content, "trackerd_1_amd64.deb": nil} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	// An old packet of a secret key without a body.
	private := folder(append([]byte{0x94, 0}, key...))
	const https = "https://tracker.example.org"
	for name, test := range map[string]struct {
		flags agentFlags
		want  verdict
		says  string
	}{
		"nothing":       {agentFlags{}, verdictOK, "none"},
		"empty folder":  {agentFlags{packages: t.TempDir()}, verdictOK, "none"},
		"all":           {agentFlags{packages: folder(key), baseURL: https}, verdictOK, "1, signed by 229787EAC9AC178FDE1F49F12FA8AA00D6DDBB96; " + https + "/install.sh"},
		"no address":    {agentFlags{packages: folder(key)}, verdictOK, "no --base-url"},
		"no TLS":        {agentFlags{packages: folder(key), baseURL: "http://tracker"}, verdictWarn, "not https"},
		"no folder":     {agentFlags{baseURL: https}, verdictWarn, "no folder"},
		"not there":     {agentFlags{packages: "/nonexistent", baseURL: https}, verdictWarn, "no such file"},
		"no key":        {agentFlags{packages: folder(nil)}, verdictWarn, "no OpenPGP public key"},
		"private key":   {agentFlags{packages: private, baseURL: https}, verdictFail, "private key"},
		"wrong address": {agentFlags{baseURL: "tracker"}, verdictFail, "want https://"},
	} {
		if c := test.flags.checkPackages(false); c.Verdict != test.want || !strings.Contains(c.Detail, test.says) || (c.Advice == "") != (c.Verdict == verdictOK) {
			t.Errorf("%s: %+v, want %s and %q", name, c, test.want, test.says)
		}
	}
}
