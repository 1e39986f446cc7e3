package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store"
)

// seenEnv names the folder in which tests leave a file for each operation and
// status that a server answered with.
const seenEnv = "TRACKERD_SERVER_TEST_SEEN"

// description is what openapi.json promises.
type description struct {
	operations []operation
	compiler   *jsonschema.Compiler
	problem    *jsonschema.Schema
}

// operation is one method of one path.
type operation struct {
	id, method string
	// path holds parameters in braces.
	path string
	// target is the path with the query, made of the parameters' examples.
	target string
	// query are the names of the parameters of its query.
	query []string
	// body is the example of a request body, where there is one.
	body any
	// schemes maps who may call to the roles that it needs: apiToken,
	// hostCredential, or "" for nobody in particular.
	schemes map[string][]string
	// replies are the documented ones by status.
	replies map[string]documented
}

// documented is a reply as it is described.
type documented struct {
	// content is the schema's place by media type.
	content map[string]string
	headers []string
}

// object is a piece of the description.
type object map[string]any

func (o object) at(keys ...string) object {
	for _, k := range keys {
		next, _ := o[k].(map[string]any)
		o = next
	}
	return o
}

func (o object) text(key string) string {
	s, _ := o[key].(string)
	return s
}

func (o object) list(key string) []object {
	var list []object
	all, _ := o[key].([]any)
	for _, v := range all {
		m, _ := v.(map[string]any)
		list = append(list, m)
	}
	return list
}

// readDescription reads the description as the server gives it to everybody.
func readDescription() (*description, error) {
	text, err := os.ReadFile("../../internal/httpapi/openapi/openapi.json")
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading the description: %w", err)
	}
	closeObjects(doc)
	d := &description{compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(resource, doc); err != nil {
		return nil, err
	}
	if d.problem, err = d.compiler.Compile(resource + "#/components/schemas/Problem"); err != nil {
		return nil, err
	}
	root := object(doc.(map[string]any))
	for path, methods := range root.at("paths") {
		for method := range object(methods.(map[string]any)) {
			o, err := d.read(root, path, method)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			d.operations = append(d.operations, o)
		}
	}
	slices.SortFunc(d.operations, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return d, nil
}

const resource = "http://server.test/openapi.json"

// closeObjects makes a field that is not described an error: callers may ignore
// such fields, but ours are all to be described.
func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			closeObjects(each)
		}
	case map[string]any:
		_, fields := v["properties"].(map[string]any)
		if _, open := v["additionalProperties"]; fields && !open && v["type"] == "object" {
			v["unevaluatedProperties"] = false
		}
		for key, each := range v {
			// What is put together is closed as a whole.
			if key != "allOf" {
				closeObjects(each)
			}
		}
	}
}

// resolve follows a reference within the description.
func resolve(root, o object, place string) (object, string, error) {
	ref := o.text("$ref")
	if ref == "" {
		return o, place, nil
	}
	pointer, ok := strings.CutPrefix(ref, "#/")
	found := root.at(strings.Split(pointer, "/")...)
	if !ok || found == nil {
		return nil, "", fmt.Errorf("%q leads nowhere", ref)
	}
	return found, "/" + pointer, nil
}

func (d *description) read(root object, path, method string) (operation, error) {
	place := "/paths/" + pointerOf(path) + "/" + method
	raw := root.at("paths", path, method)
	o := operation{
		id: raw.text("operationId"), method: strings.ToUpper(method), path: path, target: path,
		schemes: map[string][]string{}, replies: map[string]documented{},
	}
	if o.id == "" || raw.text("summary") == "" {
		return o, errors.New("no operationId or no summary")
	}
	for _, scheme := range raw.list("security") {
		if len(scheme) == 0 {
			o.schemes[""] = nil
		}
		for name, roles := range scheme {
			o.schemes[name] = nil
			for _, role := range roles.([]any) {
				o.schemes[name] = append(o.schemes[name], role.(string))
			}
		}
	}
	query := url.Values{}
	for _, p := range raw.list("parameters") {
		p, _, err := resolve(root, p, "")
		if err != nil {
			return o, err
		}
		if p.text("in") == "query" {
			o.query = append(o.query, p.text("name"))
		}
		example, given := p["example"]
		switch {
		case p.text("in") == "path" && given:
			o.target = strings.ReplaceAll(o.target, "{"+p.text("name")+"}", url.PathEscape(fmt.Sprint(example)))
		case p["required"] == true && !given:
			return o, fmt.Errorf("parameter %s needs an example", p.text("name"))
		case p.text("in") == "query" && p["required"] == true:
			query.Set(p.text("name"), fmt.Sprint(example))
		}
	}
	if strings.Contains(o.target, "{") {
		return o, errors.New("a parameter of the path is not described")
	}
	if len(query) > 0 {
		o.target += "?" + query.Encode()
	}
	if body := raw.at("requestBody", "content", "application/json"); body != nil {
		if o.body = body["example"]; o.body == nil {
			return o, errors.New("the request body needs an example")
		}
		if err := d.validate(place+"/requestBody/content/application~1json/schema", o.body); err != nil {
			return o, fmt.Errorf("the example of the request body: %w", err)
		}
	}
	return o, d.readReplies(root, raw, place, &o)
}

func (d *description) readReplies(root, raw object, place string, o *operation) error {
	for status := range raw.at("responses") {
		reply, at, err := resolve(root, raw.at("responses", status), place+"/responses/"+status)
		if err != nil {
			return err
		}
		known := documented{content: map[string]string{}}
		for media := range reply.at("content") {
			known.content[media] = at + "/content/" + pointerOf(media) + "/schema"
			if _, err := d.compiler.Compile(resource + "#" + known.content[media]); err != nil {
				return err
			}
		}
		for name := range reply.at("headers") {
			known.headers = append(known.headers, name)
		}
		o.replies[status] = known
	}
	return nil
}

// pointerOf escapes a key for a JSON pointer in a URL's fragment.
func pointerOf(key string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(key))
}

func (d *description) validate(pointer string, v any) error {
	schema, err := d.compiler.Compile(resource + "#" + pointer)
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// find gives the operation that a request is for, and whether its path has any.
func (d *description) find(method, path string) (found *operation, known bool) {
	path, _, _ = strings.Cut(path, "?")
	segments := strings.Split(path, "/")
	// What has no parameters wins.
	for _, parameters := range []bool{false, true} {
		for i := range d.operations {
			o := &d.operations[i]
			if !matches(strings.Split(o.path, "/"), segments, parameters) {
				continue
			}
			known = true
			if o.method == method || method == http.MethodHead && o.method == http.MethodGet {
				return o, true
			}
		}
		if known {
			return nil, true
		}
	}
	return nil, false
}

func matches(pattern, segments []string, parameters bool) bool {
	return slices.EqualFunc(pattern, segments, func(p, s string) bool {
		return p == s || parameters && strings.HasPrefix(p, "{") && s != ""
	})
}

// check holds a reply against the description and notes that it came.
func (d *description) check(r reply, method, path string) error {
	o, known := d.find(method, path)
	if o == nil {
		want := http.StatusNotFound
		if known {
			want = http.StatusMethodNotAllowed
		}
		if r.status != want {
			return fmt.Errorf("status %d of an operation that is not described, want %d", r.status, want)
		}
		return nil
	}
	status := strconv.Itoa(r.status)
	reply, ok := o.replies[status]
	if !ok {
		return fmt.Errorf("status %d is not described: %s", r.status, r.body)
	}
	if err := note(o.id, status); err != nil {
		return err
	}
	for _, name := range reply.headers {
		if r.header.Get(name) == "" {
			return fmt.Errorf("status %d without the header %s", r.status, name)
		}
	}
	return d.checkBody(r, reply, method)
}

func (d *description) checkBody(r reply, described documented, method string) error {
	if method == http.MethodHead || len(described.content) == 0 {
		if len(r.body) > 0 {
			return fmt.Errorf("a body that is not described: %s", r.body)
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type %q: %w", r.header.Get("Content-Type"), err)
	}
	pointer, ok := described.content[media]
	if !ok {
		return fmt.Errorf("status %d: content type %s is not described", r.status, media)
	}
	if !strings.HasSuffix(media, "json") {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	if err := d.validate(pointer, v); err != nil {
		return fmt.Errorf("status %d: %w\n%s", r.status, err, r.body)
	}
	return allUTC(v)
}

// note leaves word that an operation was answered with that status.
func note(operation, status string) error {
	return os.WriteFile(filepath.Join(os.Getenv(seenEnv), operation+" "+status), nil, 0o600)
}

// unseen lists the documented replies that no test has brought about.
func (d *description) unseen() []string {
	var missing []string
	for _, o := range d.operations {
		for _, status := range slices.Sorted(maps.Keys(o.replies)) {
			if _, err := os.Stat(filepath.Join(os.Getenv(seenEnv), o.id+" "+status)); err != nil {
				missing = append(missing, o.method+" "+o.path+": "+status)
			}
		}
	}
	return missing
}

// checkSeen fails after a run of all tests in which some documented reply never
// came: then it is either wrong or untested.
func checkSeen() error {
	for _, filter := range []string{"test.run", "test.skip", "test.fuzz", "test.list", "test.bench"} {
		if f := flag.Lookup(filter); f != nil && f.Value.String() != "" {
			return nil
		}
	}
	d, err := readDescription()
	if err != nil {
		return err
	}
	if missing := d.unseen(); len(missing) > 0 {
		return fmt.Errorf("openapi.json describes replies that no test brings about:\n  %s", strings.Join(missing, "\n  "))
	}
	return nil
}

// Everything that every operation has in common follows from its description:
// who is let in, and what is answered where the database is away or an address
// failed too often.
func TestCommonReplies(t *testing.T) {
	d, err := readDescription()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, newDatabase(t))
	away := newBenchAway(t)
	callers := map[string]string{
		"viewer": b.token("viewer"), "admin": b.token("admin"), "host": b.host("h"), "nobody": "",
	}
	b.group("other")
	callers["limited viewer"] = b.limited("other")
	b.send(callers["host"], minute("vm-abc123-user1", 0))
	for _, o := range d.operations {
		t.Run(o.id, func(t *testing.T) {
			_, open := o.schemes[""]
			for caller, bearer := range callers {
				want := o.expected(caller)
				if (open || len(o.schemes) == 0) && caller != "nobody" {
					continue
				}
				r := b.do(o.method, o.target, bearer, o.body)
				// Many callers here fail: 429 says the same as 401.
				if r.status == http.StatusTooManyRequests {
					r.status = http.StatusUnauthorized
				}
				if want == 0 && (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden) && !open ||
					want != 0 && r.status != want {
					t.Errorf("%s: %d, want %d: %s", caller, r.status, want, r.body)
				}
			}
			// Packages don't come from the database; TestTooManyDownloads has theirs.
			if _, ok := o.replies["503"]; ok && !strings.HasPrefix(o.path, "/packages/") {
				away.do(o.method, o.target, bearerFor(o), o.body).wants(http.StatusServiceUnavailable, nil)
			}
			if o.method == http.MethodGet && len(o.schemes) == 0 {
				if r := b.do(http.MethodHead, o.target, "", nil); r.status != http.StatusOK {
					t.Errorf("HEAD: %d", r.status)
				}
			}
		})
	}
	// By now this address has failed often.
	for range 30 {
		b.do(http.MethodGet, "/api/machines", "", nil)
	}
	for _, o := range d.operations {
		if _, ok := o.replies["429"]; ok {
			b.do(o.method, o.target, "", o.body).wants(http.StatusTooManyRequests, nil)
		}
	}
}

// newBenchAway starts a server whose database is away.
func newBenchAway(t *testing.T) *bench {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.Context(), "postgres://nobody@127.0.0.1:1/none", store.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return benchOn(t, st, log)
}

// bearerFor makes a credential of the kind that an operation wants.
func bearerFor(o operation) string {
	if _, hosts := o.schemes["hostCredential"]; hosts {
		return secret.New(secret.KindHost).Reveal()
	}
	return secret.New(secret.KindToken).Reveal()
}

// expected is the refusal of a caller; 0 where it is let in.
func (o operation) expected(caller string) int {
	roles, tokens := o.schemes["apiToken"]
	_, hosts := o.schemes["hostCredential"]
	_, open := o.schemes[""]
	switch {
	case open, len(o.schemes) == 0:
		return 0
	case caller == "nobody":
		return http.StatusUnauthorized
	case caller == "host" && !hosts, caller != "host" && !tokens,
		strings.HasSuffix(caller, "viewer") && slices.Contains(roles, "admin"):
		return http.StatusForbidden
	}
	return 0
}

// A description that promises too much is found out.
func TestDescriptionIsHeld(t *testing.T) {
	d, err := readDescription()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(seenEnv, t.TempDir())
	json := http.Header{"Content-Type": {"application/json"}}
	for name, r := range map[string]reply{
		"status":        {status: 418, header: json},
		"content type":  {status: 200, header: http.Header{"Content-Type": {"text/html"}}, body: []byte("{}")},
		"missing field": {status: 200, header: json, body: []byte("{}")},
		"more fields":   {status: 200, header: json, body: []byte(`{"machines":[],"more":1}`)},
		"wrong type":    {status: 200, header: json, body: []byte(`{"machines":{}}`)},
		"local time":    {status: 200, header: json, body: []byte(`{"machines":[{"machine_id":"m","user_label":"","hostname":"","username":"","groups":[],"first_seen":"2024-01-15T11:00:00+03:00","last_seen":"2024-01-15T08:01:00Z","status":"idle"}]}`)},
		"no header":     {status: 503, header: http.Header{"Content-Type": {"application/problem+json"}}, body: []byte(`{}`)},
	} {
		if err := d.check(r, http.MethodGet, "/api/machines?limit=1"); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
	good := reply{status: 200, header: json, body: []byte(`{"machines":[]}`)}
	if err := d.check(good, http.MethodGet, "/api/machines"); err != nil {
		t.Error(err)
	}
	if err := d.check(reply{status: 200}, http.MethodPut, "/api/machines"); err == nil {
		t.Error("a method that is not described passes")
	}
	missing := d.unseen()
	if slices.Contains(missing, "GET /api/machines: 200") || !slices.Contains(missing, "GET /api/machines: 401") {
		t.Errorf("never seen: %q", missing)
	}
}
