package servertest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"activity-tracker.example/server/internal/httpapi/openapi"
)

// seenEnv names the folder in which tests leave a file for each operation and
// status that a server answered with.
const seenEnv = "TRACKERD_SERVER_TEST_SEEN"

// Description is what openapi.json promises.
type Description struct {
	Operations []Operation
	compiler   *jsonschema.Compiler
	problem    *jsonschema.Schema
}

// Operation is one method of one path.
type Operation struct {
	ID, Method string
	// Path holds parameters in braces.
	Path string
	// Target is the path with the query, made of the parameters' examples.
	Target string
	// Query are the names of the parameters of its query.
	Query []string
	// Body is the example of a request body, where there is one.
	Body any
	// Schemes maps who may call to the roles that it needs: apiToken,
	// hostCredential, or "" for nobody in particular.
	Schemes map[string][]string
	// Roles are those that somebody who has logged in may have.
	Roles []string
	// Replies are the documented ones by status.
	Replies map[string]Documented
}

// Documented is a reply as it is described.
type Documented struct {
	// Content is the schema's place by media type.
	Content map[string]string
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

// ReadDescription reads the description as the server sends it to everybody.
func ReadDescription() (*Description, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.Document()))
	if err != nil {
		return nil, fmt.Errorf("reading the description: %w", err)
	}
	closeObjects(doc)
	d := &Description{compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(resource, doc); err != nil {
		return nil, err
	}
	if d.problem, err = d.compiler.Compile(resource + "#/components/schemas/Problem"); err != nil {
		return nil, err
	}
	root, _ := doc.(map[string]any)
	for path := range object(root).at("paths") {
		for method := range object(root).at("paths", path) {
			o, err := d.read(root, path, method)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			d.Operations = append(d.Operations, o)
		}
	}
	slices.SortFunc(d.Operations, func(a, b Operation) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
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

func (d *Description) read(root object, path, method string) (Operation, error) {
	place := "/paths/" + pointerOf(path) + "/" + method
	raw := root.at("paths", path, method)
	o := Operation{
		ID: raw.text("operationId"), Method: strings.ToUpper(method), Path: path, Target: path,
		Schemes: map[string][]string{}, Replies: map[string]Documented{},
	}
	if o.ID == "" || raw.text("summary") == "" {
		return o, errors.New("no operationId or no summary")
	}
	for _, scheme := range raw.list("security") {
		if len(scheme) == 0 {
			o.Schemes[""] = nil
		}
		for name, roles := range scheme {
			o.Schemes[name] = nil
			list, _ := roles.([]any)
			for _, role := range list {
				o.Schemes[name] = append(o.Schemes[name], fmt.Sprint(role))
			}
		}
	}
	roles, _ := raw["x-roles"].([]any)
	for _, role := range roles {
		o.Roles = append(o.Roles, fmt.Sprint(role))
	}
	query := url.Values{}
	for _, p := range raw.list("parameters") {
		p, _, err := resolve(root, p, "")
		if err != nil {
			return o, err
		}
		if p.text("in") == "query" {
			o.Query = append(o.Query, p.text("name"))
		}
		example, given := p["example"]
		switch {
		case p.text("in") == "path" && given:
			o.Target = strings.ReplaceAll(o.Target, "{"+p.text("name")+"}", url.PathEscape(fmt.Sprint(example)))
		case p["required"] == true && !given:
			return o, fmt.Errorf("parameter %s needs an example", p.text("name"))
		case p.text("in") == "query" && p["required"] == true:
			query.Set(p.text("name"), fmt.Sprint(example))
		}
	}
	if strings.Contains(o.Target, "{") {
		return o, errors.New("a parameter of the path is not described")
	}
	if len(query) > 0 {
		o.Target += "?" + query.Encode()
	}
	if body := raw.at("requestBody", "content", "application/json"); body != nil {
		if o.Body = body["example"]; o.Body == nil {
			return o, errors.New("the request body needs an example")
		}
		if err := d.validate(place+"/requestBody/content/application~1json/schema", o.Body); err != nil {
			return o, fmt.Errorf("the example of the request body: %w", err)
		}
	}
	return o, d.readReplies(root, raw, place, &o)
}

func (d *Description) readReplies(root, raw object, place string, o *Operation) error {
	for status := range raw.at("responses") {
		reply, at, err := resolve(root, raw.at("responses", status), place+"/responses/"+status)
		if err != nil {
			return err
		}
		known := Documented{Content: map[string]string{}}
		for media := range reply.at("content") {
			known.Content[media] = at + "/content/" + pointerOf(media) + "/schema"
			if _, err := d.compiler.Compile(resource + "#" + known.Content[media]); err != nil {
				return err
			}
		}
		for name := range reply.at("headers") {
			known.headers = append(known.headers, name)
		}
		o.Replies[status] = known
	}
	return nil
}

// pointerOf escapes a key for a JSON pointer in a URL's fragment.
func pointerOf(key string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(key))
}

func (d *Description) validate(pointer string, v any) error {
	schema, err := d.compiler.Compile(resource + "#" + pointer)
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// find returns the operation that a request is for, and whether its path has any.
func (d *Description) find(method, path string) (found *Operation, known bool) {
	path, _, _ = strings.Cut(path, "?")
	segments := strings.Split(path, "/")
	// What has no parameters wins.
	for _, parameters := range []bool{false, true} {
		for i := range d.Operations {
			o := &d.Operations[i]
			if !matches(strings.Split(o.Path, "/"), segments, parameters) {
				continue
			}
			known = true
			if o.Method == method || method == http.MethodHead && o.Method == http.MethodGet {
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

// Check holds a reply against the description and notes that it came.
func (d *Description) Check(r Reply, method, path string) error {
	o, known := d.find(method, path)
	if o == nil {
		want := http.StatusNotFound
		if known {
			want = http.StatusMethodNotAllowed
		}
		if r.Status != want {
			return fmt.Errorf("status %d of an operation that is not described, want %d", r.Status, want)
		}
		return nil
	}
	status := strconv.Itoa(r.Status)
	reply, ok := o.Replies[status]
	if !ok {
		return fmt.Errorf("status %d is not described: %s", r.Status, r.Body)
	}
	if err := note(o.ID, status); err != nil {
		return err
	}
	for _, name := range reply.headers {
		if r.Header.Get(name) == "" {
			return fmt.Errorf("status %d without the header %s", r.Status, name)
		}
	}
	return d.checkBody(r, reply, method)
}

func (d *Description) checkBody(r Reply, described Documented, method string) error {
	if method == http.MethodHead || len(described.Content) == 0 {
		if len(r.Body) > 0 {
			return fmt.Errorf("a body that is not described: %s", r.Body)
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type %q: %w", r.Header.Get("Content-Type"), err)
	}
	pointer, ok := described.Content[media]
	if !ok {
		return fmt.Errorf("status %d: content type %s is not described", r.Status, media)
	}
	if !strings.HasSuffix(media, "json") {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.Body))
	if err != nil {
		return err
	}
	if err := d.validate(pointer, v); err != nil {
		return fmt.Errorf("status %d: %w\n%s", r.Status, err, r.Body)
	}
	return allUTC(v)
}

// note leaves word that an operation was answered with that status.
func note(operation, status string) error {
	return os.WriteFile(filepath.Join(os.Getenv(seenEnv), operation+" "+status), nil, 0o600) //nolint:gosec // The run's own folder.
}

// unseen lists the documented replies that no test has brought about.
func (d *Description) unseen() []string {
	var missing []string
	for _, o := range d.Operations {
		for _, status := range slices.Sorted(maps.Keys(o.Replies)) {
			if _, err := os.Stat(filepath.Join(os.Getenv(seenEnv), o.ID+" "+status)); err != nil { //nolint:gosec // The run's own folder.
				missing = append(missing, o.Method+" "+o.Path+": "+status)
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
	d, err := ReadDescription()
	if err != nil {
		return err
	}
	if missing := d.unseen(); len(missing) > 0 {
		return fmt.Errorf("openapi.json describes replies that no test brings about:\n  %s", strings.Join(missing, "\n  "))
	}
	return nil
}
