package main

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/repository"
)

// The repository of the tests' servers: two downloads at once, and a file that is
// larger than what a connection holds unread, in bytes.
const (
	testDownloads = 2
	testDeb       = "trackerd_1.0-1_amd64.deb"
	testDebBytes  = 64 << 20
	testList      = "Package: trackerd\n"
	testDigest    = "422593ab4df14a693002112104945186633817be8ffc8d8238ff79b4373f8d90"
)

// newRepository makes a folder of packages, for a server behind a proxy.
func newRepository(tb testing.TB) (served *repository.Repository, dir string) {
	tb.Helper()
	dir = tb.TempDir()
	key, err := os.ReadFile("../../internal/repository/testdata/activity-tracker.gpg")
	if err != nil {
		tb.Fatal(err)
	}
	for name, content := range map[string]string{
		"activity-tracker.gpg": string(key), "InRelease": "Origin: Activity Tracker\n", testDeb: "!<arch>\n", "Packages": testList,
		"by-hash/SHA256/" + testDigest: testList, ".private": "secret", "notes.txt": "secret",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, testDeb), testDebBytes); err != nil {
		tb.Fatal(err)
	}
	base, err := repository.ParseBaseURL("https://tracker.example.org/prefix")
	if err != nil {
		tb.Fatal(err)
	}
	return repository.New(repository.Options{Dir: dir, BaseURL: base, AtOnce: testDownloads}), dir
}

func TestPackages(t *testing.T) {
	b := newBench(t, newDatabase(t))
	get := func(path string, header ...string) reply { return b.do(http.MethodGet, path, "", nil, header...) }
	list := get("/packages/Packages")
	list.wants(200, nil)
	if string(list.body) != testList || list.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%q %v", list.body, list.header)
	}
	if r := get("/packages/by-hash/SHA256/" + testDigest); string(r.body) != testList || !strings.Contains(r.header.Get("Cache-Control"), "immutable") {
		t.Errorf("by its hash: %q %v", r.body, r.header)
	}
	if r := get("/packages/"+testDeb, "Range", "bytes=0-7"); r.status != 206 || string(r.body) != "!<arch>\n" {
		t.Errorf("a range: %d %q", r.status, r.body)
	}
	if r := get("/packages/Packages", "Range", "bytes=100-"); r.status != 416 || r.header.Get("Content-Range") != "bytes */18" {
		t.Errorf("a range beyond the end: %d %v", r.status, r.header)
	}
	last := list.header.Get("Last-Modified")
	if r := get("/packages/Packages", "If-Modified-Since", last); r.status != 304 || len(r.body) > 0 {
		t.Errorf("unchanged: %d %q", r.status, r.body)
	}
	// A folder that was put back to an older state is news as well.
	if r := get("/packages/Packages", "If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)); r.status != 200 {
		t.Errorf("older than the caller's: %d", r.status)
	}
	if r := b.do(http.MethodHead, "/packages/"+testDeb, "", nil); r.status != 200 || r.header.Get("Content-Length") != "67108864" ||
		r.header.Get("Content-Type") != "application/vnd.debian.binary-package" {
		t.Errorf("HEAD: %d %v", r.status, r.header)
	}
	get("/packages/Packages?x=1").refused(400, api.CodeBadRequest)
	get("/packages/by-hash/SHA256/"+testDigest+"?x=1").refused(400, api.CodeBadRequest)
	get("/install.sh?x=1").refused(400, api.CodeBadRequest)
	for _, path := range []string{
		"/packages/.private", "/packages/notes.txt", "/packages/by-hash", "/packages/none_1_all.deb",
		"/packages/..%2Factivity-tracker.gpg", "/packages/by-hash%2FSHA256%2F" + testDigest[1:],
		"/packages/by-hash/SHA256/" + strings.ToUpper(testDigest), "/packages/by-hash/SHA256/..%2F..%2FPackages",
	} {
		get(path).refused(404, api.CodeNotFound)
	}
	for _, path := range []string{"/packages", "/packages/", "/packages/by-hash/", "/packages/by-hash/SHA256/", "/packages/./Packages"} {
		if r := get(path); r.status != 404 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

// The script names the server's own address, whatever the caller calls it.
func TestInstallScript(t *testing.T) {
	b := newBench(t, newDatabase(t))
	r := b.do(http.MethodGet, "/install.sh", "", nil, "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example")
	r.wants(200, nil)
	for _, want := range []string{"base_url='https://tracker.example.org/prefix'\n", "fingerprint='229787EAC9AC178FDE1F49F12FA8AA00D6DDBB96'\n"} {
		if !strings.Contains(string(r.body), want) {
			t.Errorf("no %q in the script", want)
		}
	}
	if bytes.Contains(r.body, []byte("127.0.0.1")) || bytes.Contains(r.body, []byte("evil")) {
		t.Error("a caller's word is in the script")
	}
	if err := os.Remove(filepath.Join(b.packages, "activity-tracker.gpg")); err != nil {
		t.Fatal(err)
	}
	b.do(http.MethodGet, "/install.sh", "", nil).refused(404, api.CodeNotFound)
}

// Downloads whose callers read nothing leave room for everything else, and those
// of one address for other addresses.
func TestTooManyDownloads(t *testing.T) {
	b := newBench(t, newDatabase(t))
	b.download(t, "127.0.0.2")
	for _, path := range []string{"/packages/InRelease", "/packages/by-hash/SHA256/" + testDigest} {
		b.do(http.MethodGet, path, "", nil).wants(200, nil)
	}
	b.download(t, "127.0.0.1")
	for _, path := range []string{"/packages/InRelease", "/packages/by-hash/SHA256/" + testDigest} {
		r := b.do(http.MethodGet, path, "", nil)
		r.refused(503, api.CodeUnavailable)
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	b.do(http.MethodGet, "/install.sh", "", nil).wants(200, nil)
	b.do(http.MethodGet, "/readyz", "", nil).wants(200, nil)
}

// download begins as many downloads as there may be from an address, and reads
// none of them: those beyond its share are refused.
func (b *bench) download(t *testing.T, from string) {
	t.Helper()
	local := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := &http.Client{Transport: &http.Transport{DialContext: local.DialContext}}
	t.Cleanup(client.CloseIdleConnections)
	for i := range testDownloads {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/packages/"+testDeb, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		if want := map[bool]int{true: 200, false: 503}[i == 0]; resp.StatusCode != want {
			t.Errorf("download %d from %s: %d, want %d", i, from, resp.StatusCode, want)
		}
	}
}
