package upload

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// updateEnv writes the golden files anew instead of comparing.
const updateEnv = "UPDATE_GOLDEN"

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv(updateEnv) != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.TrimSuffix(want, []byte("\n"))) {
		t.Errorf("%s differs (%s=1 writes it anew):\n%s", path, updateEnv, got)
	}
}
