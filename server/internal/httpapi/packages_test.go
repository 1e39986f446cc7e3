package httpapi_test

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
	"activity-tracker.example/server/internal/servertest"
)

func TestPackages(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	get := func(path string, header ...string) servertest.Reply {
		return b.Do(http.MethodGet, path, "", nil, header...)
	}
	list := get("/packages/Packages")
	list.Wants(200, nil)
	if string(list.Body) != servertest.List || list.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%q %v", list.Body, list.Header)
	}
	if r := get("/packages/by-hash/SHA256/" + servertest.Digest); string(r.Body) != servertest.List || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("by its hash: %q %v", r.Body, r.Header)
	}
	if r := get("/packages/"+servertest.Deb, "Range", "bytes=0-7"); r.Status != 206 || string(r.Body) != "!<arch>\n" {
		t.Errorf("a range: %d %q", r.Status, r.Body)
	}
	if r := get("/packages/Packages", "Range", "bytes=100-"); r.Status != 416 || r.Header.Get("Content-Range") != "bytes */18" {
		t.Errorf("a range beyond the end: %d %v", r.Status, r.Header)
	}
	last := list.Header.Get("Last-Modified")
	if r := get("/packages/Packages", "If-Modified-Since", last); r.Status != 304 || len(r.Body) > 0 {
		t.Errorf("unchanged: %d %q", r.Status, r.Body)
	}
	// A folder that was put back to an older state is news as well.
	if r := get("/packages/Packages", "If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)); r.Status != 200 {
		t.Errorf("older than the caller's: %d", r.Status)
	}
	if r := b.Do(http.MethodHead, "/packages/"+servertest.Deb, "", nil); r.Status != 200 || r.Header.Get("Content-Length") != "67108864" ||
		r.Header.Get("Content-Type") != "application/vnd.debian.binary-package" {
		t.Errorf("HEAD: %d %v", r.Status, r.Header)
	}
	get("/packages/Packages?x=1").Refused(400, api.CodeBadRequest)
	get("/packages/by-hash/SHA256/"+servertest.Digest+"?x=1").Refused(400, api.CodeBadRequest)
	get("/install.sh?x=1").Refused(400, api.CodeBadRequest)
	for _, path := range []string{
		"/packages/.private", "/packages/notes.txt", "/packages/by-hash", "/packages/none_1_all.deb",
		"/packages/..%2Factivity-tracker.gpg", "/packages/by-hash%2FSHA256%2F" + servertest.Digest[1:],
		"/packages/by-hash/SHA256/" + strings.ToUpper(servertest.Digest), "/packages/by-hash/SHA256/..%2F..%2FPackages",
	} {
		get(path).Refused(404, api.CodeNotFound)
	}
	for _, path := range []string{"/packages", "/packages/", "/packages/by-hash/", "/packages/by-hash/SHA256/", "/packages/./Packages"} {
		if r := get(path); r.Status != 404 {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
}

// The script names the server's own address, whatever the caller calls it.
func TestInstallScript(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	r := b.Do(http.MethodGet, "/install.sh", "", nil, "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example")
	r.Wants(200, nil)
	for _, want := range []string{"base_url='https://tracker.example.org/prefix'\n", "fingerprint='229787EAC9AC178FDE1F49F12FA8AA00D6DDBB96'\n"} {
		if !strings.Contains(string(r.Body), want) {
			t.Errorf("no %q in the script", want)
		}
	}
	if bytes.Contains(r.Body, []byte("127.0.0.1")) || bytes.Contains(r.Body, []byte("evil")) {
		t.Error("a caller's word is in the script")
	}
	if err := os.Remove(filepath.Join(b.Packages, "activity-tracker.gpg")); err != nil {
		t.Fatal(err)
	}
	b.Do(http.MethodGet, "/install.sh", "", nil).Refused(404, api.CodeNotFound)
}

// Downloads whose callers read nothing leave room for everything else, and those
// of one address for other addresses.
func TestTooManyDownloads(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	download(t, b, "127.0.0.2")
	for _, path := range []string{"/packages/InRelease", "/packages/by-hash/SHA256/" + servertest.Digest} {
		b.Do(http.MethodGet, path, "", nil).Wants(200, nil)
	}
	download(t, b, "127.0.0.1")
	for _, path := range []string{"/packages/InRelease", "/packages/by-hash/SHA256/" + servertest.Digest} {
		r := b.Do(http.MethodGet, path, "", nil)
		r.Refused(503, api.CodeUnavailable)
		if r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	b.Do(http.MethodGet, "/install.sh", "", nil).Wants(200, nil)
	b.Do(http.MethodGet, "/readyz", "", nil).Wants(200, nil)
}

// download begins as many downloads as there may be from an address, and reads
// none of them: those beyond its share are refused.
func download(t *testing.T, b *servertest.Bench, from string) {
	t.Helper()
	local := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := &http.Client{Transport: &http.Transport{DialContext: local.DialContext}}
	t.Cleanup(client.CloseIdleConnections)
	for i := range servertest.Downloads {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL+"/packages/"+servertest.Deb, nil)
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
