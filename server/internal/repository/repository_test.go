package repository

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// testFingerprint is that of the key in testdata, by gpg --show-keys.
const testFingerprint = "229787EAC9AC178FDE1F49F12FA8AA00D6DDBB96"

func TestParseBaseURL(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"https://tracker.example.org":       "https://tracker.example.org",
		"https://Tracker.example.org/":      "https://tracker.example.org",
		"https://tracker.example.org:443":   "https://tracker.example.org",
		"https://tracker.example.org:8100":  "https://tracker.example.org:8100",
		"https://10.0.0.1/a/b-c_d.e~f/":     "https://10.0.0.1/a/b-c_d.e~f",
		"https://[2001:db8::1]:8100/prefix": "https://[2001:db8::1]:8100/prefix",
		"http://tracker:80":                 "http://tracker",
	} {
		got, err := ParseBaseURL(text)
		if err != nil || got.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
		if again, err := ParseBaseURL(got.String()); err != nil || again != got {
			t.Errorf("%q: read again %q, %v", text, again, err)
		}
	}
}

// Nothing passes that means something to a shell or to apt.
func TestParseBaseURLRefuses(t *testing.T) {
	const host = "https://tracker.example.org"
	for _, text := range []string{
		"tracker.example.org", "ftp://tracker.example.org", "HTTPS://tracker.example.org", "https://", "https:///x",
		host + "'; id; '", host + `"`, host + "/$(id)", host + "/`id`", host + "/a b", host + "/a\nb", host + "\n", host + "\x00",
		host + "/a;b", host + "/a&b", host + "/a|b", host + "/a>b", host + "/a*", host + "/a?b", host + "/?q=1", host + "/#f", host + `/a\b`,
		host + "/../x", host + "/a/./b", host + "/..", host + "//x", host + "/%24", host + ":0", host + ":x", host + ":123456",
		"https://user@tracker.example.org", "https://user:pass@tracker.example.org", "https://-a.example", "https://a..b", "https://a_b.example",
		"https://трекер.example", "https://[::1", "https://[::1%25eth0]", " " + host, host + " ", host + "/" + strings.Repeat("a", maxBaseURL),
	} {
		if got, err := ParseBaseURL(text); err == nil {
			t.Errorf("%q passes as %q", text, got)
		}
	}
}

func readKey(tb testing.TB) []byte {
	tb.Helper()
	key, err := os.ReadFile("testdata/" + keyFile)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func TestFingerprint(t *testing.T) {
	key := readKey(t)
	if got, err := fingerprint(key); err != nil || got != testFingerprint {
		t.Fatalf("%s, %v", got, err)
	}
	// A key packet with its length in four and in five bytes is the same key.
	body := key[2 : 2+int(key[1])]
	long := append([]byte{0x80 | publicKey<<2 | 2, 0, 0, 0, byte(len(body))}, body...)
	modern := append([]byte{0xc0 | publicKey, 255, 0, 0, 0, byte(len(body))}, body...)
	for _, ring := range [][]byte{long, modern} {
		if got, err := fingerprint(ring); err != nil || got != testFingerprint {
			t.Errorf("%x: %s, %v", ring[:6], got, err)
		}
	}
	other := append([]byte{0xc0 | publicKey, byte(len(body))}, body...)
	other[2] = 6
	private := append([]byte{0x80 | secretKey<<2, byte(len(body))}, body...)
	for name, test := range map[string]struct {
		ring []byte
		says string
	}{
		"empty":       {nil, "no OpenPGP"},
		"armoured":    {[]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"), "no OpenPGP"},
		"cut":         {key[:len(key)-1], "no OpenPGP"},
		"no key":      {key[2+len(body):], "no OpenPGP"},
		"text after":  {append(bytes.Clone(key), "x"...), "no OpenPGP"},
		"two keys":    {append(bytes.Clone(key), key...), "more than one"},
		"version 6":   {other, "version 4"},
		"private":     {private, "private key"},
		"private too": {append(bytes.Clone(key), private...), "private key"},
		"huge":        {[]byte{0xc0 | publicKey, 255, 0xff, 0xff, 0xff, 0xff}, "no OpenPGP"},
		"in parts":    {[]byte{0xc0 | publicKey, 0xe1, 1, 1}, "no OpenPGP"},
	} {
		if got, err := fingerprint(test.ring); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %s, %v; want %q", name, got, err, test.says)
		}
	}
}

func FuzzFingerprint(f *testing.F) {
	f.Add(readKey(f))
	f.Add([]byte{0xc6, 0xff, 0, 0, 0, 1, 4})
	f.Fuzz(func(t *testing.T, ring []byte) {
		got, err := fingerprint(ring)
		if (err == nil) != (len(got) == 40 && strings.Trim(got, "0123456789ABCDEF") == "") {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func repositoryAt(t *testing.T, dir, base string) *Repository {
	t.Helper()
	b, err := ParseBaseURL(base)
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Dir: dir, BaseURL: b})
}

func ask(h http.HandlerFunc) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w
}

// Without a folder, a good key and an address that nobody can stand in for there
// is no script.
func TestNoScript(t *testing.T) {
	private := t.TempDir()
	if err := os.WriteFile(filepath.Join(private, keyFile), append(readKey(t), 0x80|secretKey<<2, 0), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Repository{
		"nothing":     repositoryAt(t, "", ""),
		"no address":  repositoryAt(t, "testdata", ""),
		"plain HTTP":  repositoryAt(t, "testdata", "http://localhost"),
		"no folder":   repositoryAt(t, "", "https://tracker.example.org"),
		"not there":   repositoryAt(t, "/nonexistent", "https://tracker.example.org"),
		"no key":      repositoryAt(t, t.TempDir(), "https://tracker.example.org"),
		"private key": repositoryAt(t, private, "https://tracker.example.org"),
	} {
		if w := ask(r.Script); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// What leads out of the folder, or is no file, is not there.
func TestOnlyFilesOfTheFolder(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	for _, err := range []error{
		os.WriteFile(outside, []byte("secret"), 0o600),
		os.Symlink(outside, filepath.Join(dir, "Release")),
		os.Symlink("../"+filepath.Base(filepath.Dir(outside))+"/secret", filepath.Join(dir, "Packages")),
		os.Mkdir(filepath.Join(dir, "fingerprint"), 0o755),
		syscall.Mkfifo(filepath.Join(dir, "InRelease"), 0o600),
		os.WriteFile(filepath.Join(dir, "a_1_all.deb"), []byte("deb"), 0o600),
		os.Symlink("a_1_all.deb", filepath.Join(dir, "b_1_all.deb")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := repositoryAt(t, dir, "")
	for name, want := range map[string]int{
		"Release": 404, "Packages": 404, "fingerprint": 404, "InRelease": 404, "Packages.gz": 404,
		"": 404, ".": 404, "..": 404, "../secret": 404, "/etc/passwd": 404, "a_1_all.deb\x00": 404, "by-hash/SHA256/": 404,
		// A link that stays inside is the builder's own business.
		"a_1_all.deb": 200, "b_1_all.deb": 200,
	} {
		w := ask(func(w http.ResponseWriter, req *http.Request) { r.Serve(w, req, name) })
		if w.Code != want || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%q: %d %s, want %d", name, w.Code, w.Body, want)
		}
	}
}

func renderedScript(t *testing.T) []byte {
	t.Helper()
	w := ask(repositoryAt(t, "testdata", "https://tracker.example.org/prefix").Script)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// The script is exactly the template with its two words in their two places;
// UPDATE_GOLDEN=1 writes what they become.
func TestScript(t *testing.T) {
	got := renderedScript(t)
	const golden = "testdata/install.golden"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", golden, got)
	}
	for _, mark := range []string{baseURLMark, fingerprintMark} {
		if strings.Count(script, mark) != 1 || strings.Count(script, "='"+mark+"'\n") != 1 {
			t.Errorf("%s must stand in the script once, between single quotes", mark)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-n", golden).CombinedOutput(); err != nil {
		t.Errorf("sh -n: %v: %s", err, out)
	}
}
