package problem

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
)

// No text in a reply steers the terminal that it is shown in, and every text comes
// back as it was; also in that of a refusal.
func TestRepliesSteerNoTerminal(t *testing.T) {
	const hostile = "a\x1b[2J\u009b2J\u0080\u009f\x7f\u00a0ä\u07ff漢\U0001f600\xc2"
	want := strings.ToValidUTF8(hostile, "\ufffd")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, reply := range []func(http.ResponseWriter){
		func(w http.ResponseWriter) {
			Reply(w, r, http.StatusOK, map[string]string{"detail": hostile, hostile: ""}, nil, nil)
		},
		func(w http.ResponseWriter) {
			Reply(w, r, 0, nil, BadRequest(hostile), func(err error) error { return err })
		},
	} {
		w := httptest.NewRecorder()
		reply(w)
		if i := strings.IndexFunc(strings.TrimSuffix(w.Body.String(), "\n"), unicode.IsControl); i >= 0 {
			t.Errorf("%q steers a terminal", w.Body.String()[i:])
		}
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got["detail"] != want {
			t.Errorf("%q, %v", got, err)
		}
	}
}
