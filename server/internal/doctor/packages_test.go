package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/repository"
)

func TestPackages(t *testing.T) {
	key, err := os.ReadFile("../repository/testdata/activity-tracker.gpg")
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
		dir, baseURL string
		want         api.CheckResult
		words        string
	}{
		"nothing":      {"", "", api.CheckOK, "none"},
		"empty folder": {t.TempDir(), "", api.CheckOK, "none"},
		"all":          {folder(key), https, api.CheckOK, "1, signed by 229787EAC9AC178FDE1F49F12FA8AA00D6DDBB96; " + https + "/install.sh"},
		"no address":   {folder(key), "", api.CheckOK, "no --base-url"},
		"no TLS":       {folder(key), "http://tracker", api.CheckWarning, "not https"},
		"no folder":    {"", https, api.CheckWarning, "no folder"},
		"not there":    {"/nonexistent", https, api.CheckWarning, "no such file"},
		"no key":       {folder(nil), "", api.CheckWarning, "no OpenPGP public key"},
		"private key":  {private, https, api.CheckFailed, "private key"},
	} {
		base, err := repository.ParseBaseURL(test.baseURL)
		if err != nil {
			t.Fatal(err)
		}
		c := Packages(repository.New(repository.Options{Dir: test.dir, BaseURL: base}).Examine(), test.baseURL)
		if c.Result != test.want || !strings.Contains(c.Detail, test.words) || (c.Advice == "") != (c.Result == api.CheckOK) {
			t.Errorf("%s: %+v, want %s and %q", name, c, test.want, test.words)
		}
	}
}
