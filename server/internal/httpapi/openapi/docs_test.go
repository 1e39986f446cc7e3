package openapi

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// The page has everything that is described, links lead somewhere, and it
// loads and runs nothing.
func TestDocsPage(t *testing.T) {
	w := httptest.NewRecorder()
	Docs()(w, httptest.NewRequest(http.MethodGet, "/api/docs", nil))
	page := w.Body.String()
	d := readDocument(t)
	for path, methods := range d.Paths {
		for method := range methods {
			if !strings.Contains(page, "<code>"+strings.ToUpper(method)+" "+path+"</code>") {
				t.Errorf("nothing of %s %s", method, path)
			}
		}
	}
	for name, s := range d.Components.Schemas {
		if !strings.Contains(page, `id="schema-`+name+`"`) {
			t.Errorf("nothing of %s", name)
		}
		for field := range s.Properties {
			if !strings.Contains(page, "<dt><code>"+field+"</code>") {
				t.Errorf("nothing of %s.%s", name, field)
			}
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("twice: %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if id, ok := strings.CutPrefix(m[1], "#"); !ids[id] && (ok || m[1] != "openapi.json") {
			t.Errorf("a link to %s", m[1])
		}
	}
	for _, never := range []string{"<script", "http://", "https://", "src=", "&lt;nil", "ZgotmplZ", "$ref", "<no value>"} {
		if strings.Contains(page, never) {
			t.Errorf("the page holds %s", never)
		}
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Error(policy)
	}
	if !strings.Contains(page, "the role admin") || !strings.Contains(page, `name="viewport"`) {
		t.Error("no role or no viewport")
	}
	t.Logf("%d bytes", len(page))
}

func TestDocsOfBadDescriptions(t *testing.T) {
	for _, bad := range []string{`{`, `{}`, `{"paths":{"/x":{"get":{"operationId":"x","responses":{"200":{"$ref":"#/components/responses/None"}}}}}}`} {
		if page, err := renderDocs([]byte(bad)); err == nil {
			t.Errorf("%s gives %s", bad, page)
		}
	}
}
