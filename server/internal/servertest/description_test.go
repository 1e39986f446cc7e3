package servertest

import (
	"net/http"
	"slices"
	"testing"
)

// A description that promises too much is found out.
func TestDescriptionIsHeld(t *testing.T) {
	d, err := ReadDescription()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(seenEnv, t.TempDir())
	json := http.Header{"Content-Type": {"application/json"}}
	for name, r := range map[string]Reply{
		"status":        {Status: 418, Header: json},
		"content type":  {Status: 200, Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte("{}")},
		"missing field": {Status: 200, Header: json, Body: []byte("{}")},
		"more fields":   {Status: 200, Header: json, Body: []byte(`{"machines":[],"more":1}`)},
		"wrong type":    {Status: 200, Header: json, Body: []byte(`{"machines":{}}`)},
		"local time":    {Status: 200, Header: json, Body: []byte(`{"machines":[{"machine_id":"m","user_label":"","hostname":"","username":"","groups":[],"first_seen":"2024-01-15T11:00:00+03:00","last_seen":"2024-01-15T08:01:00Z","status":"idle"}]}`)},
		"no header":     {Status: 503, Header: http.Header{"Content-Type": {"application/problem+json"}}, Body: []byte(`{}`)},
	} {
		if err := d.Check(r, http.MethodGet, "/api/machines?limit=1"); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
	good := Reply{Status: 200, Header: json, Body: []byte(`{"machines":[]}`)}
	if err := d.Check(good, http.MethodGet, "/api/machines"); err != nil {
		t.Error(err)
	}
	if err := d.Check(Reply{Status: 200}, http.MethodPut, "/api/machines"); err == nil {
		t.Error("a method that is not described passes")
	}
	missing := d.unseen()
	if slices.Contains(missing, "GET /api/machines: 200") || !slices.Contains(missing, "GET /api/machines: 401") {
		t.Errorf("never seen: %q", missing)
	}
}
