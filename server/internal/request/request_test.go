package request

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

type greeting struct {
	Name string `json:"name"`
}

// A body is read or refused by what the route demands of it.
func TestRead(t *testing.T) {
	const example = `{"name": "Anna"}`
	plain := Body{Limit: 20, Example: example}
	strict := Body{Limit: 20, Example: example, Strict: true, TooLarge: problem.New(api.CodeTooLarge, "large")}
	for _, test := range []struct {
		body Body
		text string
		want string
		code api.Code
	}{
		{plain, `{"name":"A"}`, "A", ""},
		{plain, `{"name":"A","x":1}`, "A", ""},
		{plain, `{"name":"A"} 1`, "A", ""},
		{plain, `{"name":1}`, "", api.CodeBadRequest},
		{plain, `{"name":"AAAAAAAAAAAAAAAAAAAAAAAAA"}`, "", api.CodeBadRequest},
		{strict, `{"name":"A"}`, "A", ""},
		{strict, `{"name":"A","x":1}`, "", api.CodeBadRequest},
		{strict, `{"name":"A"} 1`, "", api.CodeBadRequest},
		{strict, `{"name":"AAAAAAAAAAAAAAAAAAAAAAAAA"}`, "", api.CodeTooLarge},
		{strict, ``, "", api.CodeBadRequest},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.text))
		got, err := Read[greeting](httptest.NewRecorder(), r, test.body)
		var refusal *problem.Error
		if errors.As(err, &refusal) != (test.code != "") || refusal != nil && refusal.Code != test.code || err == nil && got.Name != test.want {
			t.Errorf("%+v %s: %+v %v", test.body, test.text, got, err)
		}
	}
}

// A name in the path is unescaped once; what can be nobody's is none.
func TestPath(t *testing.T) {
	for escaped, want := range map[string][2]string{
		"a%2Fb": {"a/b", "a/b"}, "%2525": {"%25", "%25"}, "a%00": {"a\x00", ""}, "a%E2%80%AE": {"a\u202e", ""},
	} {
		var got [2]string
		routes := chi.NewRouter()
		routes.Get("/{name}", func(_ http.ResponseWriter, r *http.Request) {
			got = [2]string{PathValue(r, "name"), PathName(r, "name")}
		})
		r := httptest.NewRequest(http.MethodGet, "/"+escaped, nil)
		r.URL.RawPath = r.URL.EscapedPath() // as httpserver has it
		routes.ServeHTTP(httptest.NewRecorder(), r)
		if got != want {
			t.Errorf("%s: %q, want %q", escaped, got, want)
		}
	}
}
