package hostid

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systemd itself prints what the id has to be.
func TestReadAgreesWithSystemd(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "systemd-id128", "machine-id",
		"--app-specific="+hex.EncodeToString([]byte(appID))).Output()
	if err != nil {
		t.Fatalf("systemd-id128 and a machine id are needed (package systemd): %v", err)
	}
	id, err := Read(Path)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(string(out)); id.String() != want {
		t.Errorf("got %s, systemd says %s", id, want)
	}
	if machine, err := os.ReadFile(Path); err != nil || strings.HasPrefix(string(machine), id.Short()) {
		t.Errorf("the id shows the machine id (%v)", err)
	}
}

func TestShort(t *testing.T) {
	id := derive([16]byte{1}, appID)
	if s := id.Short(); len(s) != 6 || !strings.HasPrefix(id.String(), s) {
		t.Errorf("short %q of %q", s, id)
	}
	if len(appID) != 16 {
		t.Errorf("the application's id has %d bytes", len(appID))
	}
}

func TestReadRefuses(t *testing.T) {
	for name, content := range map[string]string{
		"empty":         "",
		"uninitialized": "uninitialized\n",
		"short":         "0123456789abcdef\n",
		"long":          strings.Repeat("a", 33),
		"no digits":     strings.Repeat("g", 32),
		"zeros":         strings.Repeat("0", 32),
		"huge":          strings.Repeat("a", 1<<20),
		"two lines":     strings.Repeat("a", 31) + "\n\n",
	} {
		path := filepath.Join(t.TempDir(), "machine-id")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if id, err := Read(path); err == nil || !strings.Contains(fmt.Sprint(err), "systemd-machine-id-setup") {
			t.Errorf("%s: got %v, %v; want an error that says what to do", name, id, err)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0123456789abcdef0123456789abcdef\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := parse(s)
		if err == nil && !strings.EqualFold(hex.EncodeToString(id[:]), strings.TrimSuffix(s, "\n")) {
			t.Errorf("%q read as %x", s, id)
		}
	})
}
