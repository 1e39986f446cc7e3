package request_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/request"
)

func TestIfMatch(t *testing.T) {
	for header, want := range map[string]string{
		"":                       "missing",
		"  ":                     "missing",
		"*":                      "any",
		`"3"`:                    "3",
		`"3", "12"`:              "3 12",
		`W/"3"`:                  "",
		`3`:                      "",
		`"03"`:                   "",
		`""3""`:                  "",
		`"3`:                     "",
		`"99999999999999999999"`: "",
		`"x",*`:                  "",
	} {
		r := httptest.NewRequest(http.MethodPut, "/", http.NoBody)
		if header != "" {
			r.Header.Set("If-Match", header)
		}
		versions, err := request.IfMatch(r, "Send it.")
		got := "any"
		if err != nil {
			got = "missing"
		} else if versions != nil {
			text, err := json.Marshal(versions)
			if err != nil {
				t.Fatal(err)
			}
			got = strings.NewReplacer("[", "", "]", "", ",", " ").Replace(string(text))
		}
		if got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}
