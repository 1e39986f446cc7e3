package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
)

// No text in a reply steers the terminal that it is shown in, and every text comes
// back as it was.
func TestRepliesSteerNoTerminal(t *testing.T) {
	const hostile = "a\x1b[2J\u009b2J\u0080\u009f\x7f\u00a0ä\u07ff漢\U0001f600\xc2"
	want := strings.ToValidUTF8(hostile, "\ufffd")
	w := httptest.NewRecorder()
	replyWith(w, http.StatusOK, map[string]string{"title": hostile, hostile: ""})
	if i := strings.IndexFunc(strings.TrimSuffix(w.Body.String(), "\n"), unicode.IsControl); i >= 0 {
		t.Errorf("%q steers a terminal", w.Body.String()[i:])
	}
	var got map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got["title"] != want {
		t.Errorf("%q, %v", got, err)
	}
	if text := string(escaped([]byte(`{"a":"b"}`))); text != `{"a":"b"}` {
		t.Error(text)
	}
}
