package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
)

// Where the hosts of these tests find the server that they install from.
const (
	tlsName = "tracker.test"
	tlsAddr = "127.0.0.1:8443"
	baseURL = "https://" + tlsName + ":8443"
)

// What install.sh writes.
const (
	keyringFile = "/usr/share/keyrings/activity-tracker.gpg"
	sourceFile  = "/etc/apt/sources.list.d/activity-tracker.sources"
)

// laterVersion is one that apt upgrades to from whatever is tested.
const laterVersion = "999.0-1"

// TestRepository has a bare host install the agent from the server with the script
// that it offers, and follow it to a later version, by the real apt of each Debian.
func TestRepository(t *testing.T) {
	onSuites(t, func(t *testing.T, suite debian.Suite) {
		b := newBuilder(t)
		b.add(t, debPath)
		b.publish(t)
		srv := newServer(t)
		offer(t, srv, b.packages)
		h := hostBefore(t, srv, suite)
		defer h.showLogOnFailure(t)

		t.Run("no token", func(t *testing.T) { refusesWithoutToken(t, h) })
		t.Run("terminal", func(t *testing.T) { asksTheTerminal(t, h) })
		t.Run("another key", func(t *testing.T) { refusesAnotherKey(t, h, b) })
		t.Run("changed package", func(t *testing.T) { refusesChangedPackage(t, h, b) })
		if !t.Run("install", func(t *testing.T) { installsAndEnrols(t, h) }) {
			return
		}
		t.Run("again", func(t *testing.T) { changesNothingAgain(t, h) })
		b.add(t, reversioned(t, debPath, laterVersion))
		old := b.publish(t)
		t.Run("changed list", func(t *testing.T) { refusesChangedList(t, h, b) })
		t.Run("upgrade", func(t *testing.T) { upgradesByApt(t, h) })
		t.Run("old state", func(t *testing.T) { staysWithTheNewest(t, h, b, old) })
		t.Run("and back", func(t *testing.T) { goesBack(t, h) })
	})
}

// builder is the folder of somebody who builds packages.
type builder struct {
	dir string
	// packages is the folder that a server serves.
	packages string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	b := &builder{dir: t.TempDir(), packages: filepath.Join(t.TempDir(), "packages")}
	for _, dir := range []string{"packaging", "dist"} {
		if err := os.Mkdir(filepath.Join(b.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := e2etest.Copy("../../../packaging/build-repository.sh", filepath.Join(b.dir, "packaging/build-repository.sh")); err != nil {
		t.Fatal(err)
	}
	return b
}

// add puts a package into dist/, under the name that make uses.
func (b *builder) add(t *testing.T, deb string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dpkg-deb", "--show", "--showformat=${Package}_${Version}_${Architecture}.deb", deb).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := e2etest.Copy(deb, filepath.Join(b.dir, "dist", string(out))); err != nil {
		t.Fatal(err)
	}
}

// publish makes and signs the repository and puts it where the server serves it
// from. It returns a copy of what was there.
func (b *builder) publish(t *testing.T) (before string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(b.dir, "packaging/build-repository.sh"))
	// Every state is of one commit: the dates must follow each other all the same.
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000", "KEY=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build-repository.sh: %v: %s", err, out)
	}
	return b.serve(t, filepath.Join(b.dir, "dist/repository"))
}

// serve has the server serve a copy of a folder, and returns the one before.
func (b *builder) serve(t *testing.T, folder string) (before string) {
	t.Helper()
	next := filepath.Join(t.TempDir(), "packages")
	before = next + ".before"
	if err := os.CopyFS(next, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(b.packages, before); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.Rename(next, b.packages); err != nil {
		t.Fatal(err)
	}
	return before
}

// change rewrites a file of the folder that is served until the test ends.
func (b *builder) change(t *testing.T, pattern string, rewrite func([]byte) []byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(b.packages, pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	was, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths[0], rewrite(bytes.Clone(was)), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(paths[0], was, 0o644); err != nil {
			t.Error(err)
		}
	})
}

// offer starts a second server on the first one's database, which speaks TLS and
// offers packages. Its certificate's authority is left at srv.authority.
func offer(t *testing.T, srv *server, packages string) {
	t.Helper()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	makeCertificate(t, cert, key)
	srv.authority, srv.tlsAddr = cert, e2etest.FreeAddress(t)
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(serverPath, append([]string{
		"serve", "--listen", srv.tlsAddr, "--tls-cert", cert, "--tls-key", key, "--packages", packages, "--base-url", baseURL,
	}, srv.Args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	d := e2etest.StartDaemon(t, cmd)
	t.Cleanup(func() {
		d.Stop(t, syscall.SIGTERM)
		if said, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("the server with packages said:\n%s", said)
		}
	})
}

// makeCertificate makes one for tlsName that is its own authority.
func makeCertificate(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, DNSNames: []string{tlsName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// hostBefore is a host that knows the server's name and trusts its certificate, as
// any host does a real one's, and has no other source of packages.
func hostBefore(t *testing.T, srv *server, suite debian.Suite) *host {
	t.Helper()
	h := startHost(t, srv, debian.Bare(suite))
	f, err := h.Forward(t.Context(), tlsAddr, srv.tlsAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	authority, err := os.Open(srv.authority)
	if err != nil {
		t.Fatal(err)
	}
	defer authority.Close()
	if err := h.WriteFile(t.Context(), "/usr/local/share/ca-certificates/test.crt", authority, 0o644); err != nil {
		t.Fatal(err)
	}
	h.run(t, "sh", "-ec", "update-ca-certificates; echo 127.0.0.1 "+tlsName+" >>/etc/hosts; rm -f /etc/apt/sources.list; rm -f /etc/apt/sources.list.d/*")
	eventually(t, time.Minute, "the server with packages answers", func() error {
		_, err := h.Run(t.Context(), "/usr/lib/apt/apt-helper", "download-file", baseURL+"/readyz", "/tmp/readyz")
		return err
	})
	return h
}

// installScript fetches install.sh.
func (h *host) installScript(t *testing.T) string {
	t.Helper()
	h.run(t, "/usr/lib/apt/apt-helper", "download-file", baseURL+"/install.sh", "/tmp/install.sh")
	return h.run(t, "cat", "/tmp/install.sh")
}

// installFrom pipes a script into a shell without a terminal, as curl would.
func (h *host) installFrom(t *testing.T, script, token string) testhost.Result {
	t.Helper()
	c := testhost.Command{Args: []string{"setsid", "--wait", "sh"}, Stdin: strings.NewReader(script + "\n")}
	if token != "" {
		c.Env = []string{"ENROLLMENT_TOKEN=" + token}
	}
	res, err := h.Exec(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// wantRefused wants the script to fail with these words and to leave nothing.
func wantRefused(t *testing.T, h *host, res testhost.Result, says string) {
	t.Helper()
	if res.Code == 0 || !strings.Contains(res.Stderr, says) {
		t.Errorf("exit code %d: %s%s\nwant a refusal with %q", res.Code, res.Stdout, res.Stderr, says)
	}
	for _, path := range []string{keyringFile, sourceFile, "/usr/sbin/trackerd"} {
		h.run(t, "test", "!", "-e", path)
	}
	if left := h.run(t, "find", "/tmp", "-maxdepth", "1", "-name", "tmp.*"); left != "" {
		t.Errorf("it leaves %s", left)
	}
}

func (h *host) token(t *testing.T) string {
	t.Helper()
	return h.srv.command(t, "enrollment", "create", "--uses", "1", "--expires", "10m")
}

func refusesWithoutToken(t *testing.T, h *host) {
	wantRefused(t, h, h.installFrom(t, h.installScript(t), ""), "set ENROLLMENT_TOKEN; nothing was changed")
	wantRefused(t, h, h.installFrom(t, h.installScript(t), "no token"), "this is no enrolment token")
}

// asksTheTerminal has the script ask a person, who mistypes: what they type is not
// shown.
func asksTheTerminal(t *testing.T, h *host) {
	h.installScript(t)
	const typed = "mistyped secret"
	h.run(t, "sh", "-c", "(until grep -q shown /tmp/typescript 2>/dev/null; do sleep 0.1; done; echo '"+typed+"') | "+
		"setsid --wait script -qefc 'sh </tmp/install.sh' /tmp/typescript; test $? != 0")
	said := h.run(t, "cat", "/tmp/typescript")
	if !strings.Contains(said, "this is no enrolment token") || strings.Contains(said, typed) {
		t.Errorf("it says %s", said)
	}
}

// refusesAnotherKey has a server that was broken into offer packages of its own,
// with its own key, to a host that has the builder's script: the key is added to
// the file with the builder's, or takes its place.
func refusesAnotherKey(t *testing.T, h *host, b *builder) {
	script, token := h.installScript(t), h.token(t)
	evil := newBuilder(t)
	evil.add(t, debPath)
	evil.publish(t)
	good := b.serve(t, evil.packages)
	wantRefused(t, h, h.installFrom(t, script, token), "must be signed by the key")
	key, err := os.ReadFile(filepath.Join(good, "activity-tracker.gpg"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("beside the builder's", func(t *testing.T) {
		b.change(t, "activity-tracker.gpg", func(other []byte) []byte { return append(key, other...) })
		wantRefused(t, h, h.installFrom(t, script, token), "must be signed by the key")
		// Such a file gets no script.
		if _, err := h.Run(t.Context(), "/usr/lib/apt/apt-helper", "download-file", baseURL+"/install.sh", "/tmp/other.sh"); err == nil {
			t.Error("there is a script for a file of two keys")
		}
	})
	b.serve(t, good)
	// What apt was refused it goes on from, if the next file is of the same second.
	h.run(t, "rm", "-rf", "/var/lib/apt/lists")
}

func refusesChangedPackage(t *testing.T, h *host, b *builder) {
	b.change(t, "trackerd_*.deb", func(deb []byte) []byte {
		deb[len(deb)/2] ^= 1
		return deb
	})
	wantRefused(t, h, h.installFrom(t, h.installScript(t), h.token(t)), "apt-get")
}

func installsAndEnrols(t *testing.T, h *host) {
	res := h.installFrom(t, h.installScript(t), h.token(t))
	if res.Code != 0 || !strings.Contains(res.Stdout, "done;") {
		t.Fatalf("exit code %d: %s%s", res.Code, res.Stdout, res.Stderr)
	}
	status := h.run(t, "trackctl", "status", "--json")
	if !strings.Contains(status, `"url": "`+baseURL+`"`) || !strings.Contains(status, `"enrolled": true`) {
		t.Errorf("it is not enrolled: %s", status)
	}
	if got := h.run(t, "stat", "--format=%U %a", keyringFile, sourceFile); got != "root 644\nroot 644" {
		t.Errorf("modes: %s", got)
	}
}

func changesNothingAgain(t *testing.T, h *host) {
	look := func() string {
		return h.run(t, "sh", "-ec", "cat "+sourceFile+"; sha256sum "+keyringFile+" /var/lib/trackerd/credential; systemctl show --property=MainPID trackerd")
	}
	before := look()
	if res := h.installFrom(t, h.installScript(t), ""); res.Code != 0 || !strings.Contains(res.Stdout, "enrolled there already") {
		t.Errorf("exit code %d: %s%s", res.Code, res.Stdout, res.Stderr)
	}
	if after := look(); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
}

// update reads the lists of packages; an error is anything that apt complains of.
func (h *host) update(t *testing.T) error {
	t.Helper()
	_, err := h.Run(t.Context(), "apt-get", "update", "-o", "APT::Update::Error-Mode=any")
	return err
}

func (h *host) candidate(t *testing.T) string {
	t.Helper()
	return h.run(t, "sh", "-ec", "apt-cache policy trackerd | sed -n 's/^ *Candidate: //p'")
}

func (h *host) installed(t *testing.T) string {
	t.Helper()
	return h.run(t, "dpkg-query", "--show", "--showformat=${Version}", "trackerd")
}

func refusesChangedList(t *testing.T, h *host, b *builder) {
	// In either place where apt looks for the signature.
	for _, list := range []string{"InRelease", "Release"} {
		t.Run(list, func(t *testing.T) {
			if list == "Release" {
				b.change(t, "InRelease", func([]byte) []byte { return nil })
			}
			b.change(t, list, func(release []byte) []byte {
				return bytes.Replace(release, []byte("Suite: stable"), []byte("Suite: stolen"), 1)
			})
			if err := h.update(t); err == nil {
				t.Error("apt takes it")
			}
			if got := h.candidate(t); got != h.installed(t) {
				t.Errorf("apt would install %s", got)
			}
		})
	}
}

func upgradesByApt(t *testing.T, h *host) {
	if err := h.update(t); err != nil {
		t.Fatal(err)
	}
	h.run(t, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "upgrade", "--yes")
	if got := h.installed(t); got != laterVersion {
		t.Errorf("version %s after the upgrade", got)
	}
	eventually(t, 30*time.Second, "trackerd is up and enrolled", func() error {
		_, err := h.Run(t.Context(), "trackctl", "doctor")
		return err
	})
}

// staysWithTheNewest has the server go back to what it served before.
func staysWithTheNewest(t *testing.T, h *host, b *builder, old string) {
	b.serve(t, old)
	if err := h.update(t); err != nil {
		t.Logf("apt says %v", err)
	}
	if got := h.candidate(t); got != laterVersion {
		t.Errorf("apt would install %s", got)
	}
	b.publish(t)
	if err := h.update(t); err != nil {
		t.Error(err)
	}
}

// goesBack installs the version before the newest, which the repository still has.
func goesBack(t *testing.T, h *host) {
	before := h.run(t, "sh", "-ec", "apt-cache madison trackerd | cut -d '|' -f 2 | tr -d ' ' | tail -n 1")
	if before == laterVersion {
		t.Fatal("there is no older version")
	}
	h.run(t, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--allow-downgrades", "trackerd="+before)
	if got := h.installed(t); got != before {
		t.Errorf("%s is installed, want %s", got, before)
	}
}
