package openapi

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"activity-tracker.example/server/internal/problem"
)

// docsPage and docsStyle make the description a page to read, here rather than by
// a viewer in JavaScript: those weigh one to three megabytes that somebody would
// have to audit, and this needs none.
//
//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle string

// Docs answers with the description as a page, made once.
func Docs() http.HandlerFunc {
	page, err := renderDocs(document)
	digest := sha256.Sum256([]byte(docsStyle))
	// Only the page's own style is let in.
	policy := fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		base64.StdEncoding.EncodeToString(digest[:]))
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			problem.Write(w, r, problem.Internal(fmt.Errorf("making the page of the API's description: %w", err)))
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		// An error here means that the caller has gone.
		_, _ = w.Write(page)
	}
}

// ordered is a JSON object whose fields stay in the order of the text.
type ordered[T any] []entry[T]

type entry[T any] struct {
	Key   string
	Value T
}

// UnmarshalJSON reads an object field by field.
func (o *ordered[T]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		e := entry[T]{Key: fmt.Sprint(key)}
		if err := d.Decode(&e.Value); err != nil {
			return fmt.Errorf("%s: %w", e.Key, err)
		}
		*o = append(*o, e)
	}
	return nil
}

// described is what of a description the page shows.
type described struct {
	Info struct {
		Title, Description string
	}
	Paths      ordered[ordered[describedOperation]]
	Components struct {
		Parameters      map[string]describedParameter
		Responses       map[string]describedResponse
		Schemas         ordered[schema]
		SecuritySchemes ordered[struct{ Description string }]
	}
}

type describedOperation struct {
	OperationID, Summary, Description string
	Security                          []map[string][]string
	// Roles are those of people who have logged in.
	Roles       []string `json:"x-roles"`
	Parameters  []describedParameter
	RequestBody struct {
		Content ordered[describedContent]
	}
	Responses ordered[describedResponse]
}

type describedParameter struct {
	Ref         string `json:"$ref"`
	Name, In    string
	Description string
	Required    bool
	Schema      schema
}

type describedContent struct {
	Schema  schema
	Example json.RawMessage
}

type describedResponse struct {
	Ref         string `json:"$ref"`
	Description string
	Content     ordered[describedContent]
}

type schema struct {
	Ref                 string `json:"$ref"`
	Type                json.RawMessage
	Format, Description string
	Enum                []any
	Properties          ordered[schema]
	Required            []string
	Items               *schema
	AnyOf, OneOf        []schema
	Minimum, Maximum    *json.Number
	MaxLength, MaxItems *json.Number
	Default             any
}

func renderDocs(text []byte) ([]byte, error) {
	var d described
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	if err := d.resolve(); err != nil {
		return nil, err
	}
	page, err := template.New("docs").Funcs(template.FuncMap{
		"style":  func() template.CSS { return template.CSS(docsStyle) }, //nolint:gosec // a file of ours
		"upper":  strings.ToUpper,
		"kind":   schema.kind,
		"link":   schema.link,
		"limits": schema.limits,
		"needs":  slices.Contains[[]string],
		"who":    describedOperation.who,
		"pretty": pretty,
	}).Parse(docsPage)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, d)
	return out.Bytes(), err
}

// resolve puts parameters and replies in the place of references to them.
func (d *described) resolve() error {
	for _, path := range d.Paths {
		for i := range path.Value {
			o := &path.Value[i].Value
			for j, p := range o.Parameters {
				if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
					o.Parameters[j] = d.Components.Parameters[name]
				}
				if o.Parameters[j].Name == "" {
					return fmt.Errorf("%s: a parameter without a name", o.OperationID)
				}
			}
			for j, r := range o.Responses {
				if name, ok := strings.CutPrefix(r.Value.Ref, "#/components/responses/"); ok {
					o.Responses[j].Value = d.Components.Responses[name]
				}
				if o.Responses[j].Value.Description == "" {
					return fmt.Errorf("%s: reply %s says nothing", o.OperationID, r.Key)
				}
			}
		}
	}
	if len(d.Paths) == 0 {
		return errors.New("no paths")
	}
	return nil
}

// who returns in words who may call.
func (o describedOperation) who() string {
	var callers []string
	for _, s := range o.Security {
		if len(s) == 0 {
			callers = append(callers, "nobody in particular")
		}
		for scheme := range s {
			name := map[string]string{
				"apiToken": "API token", "adminToken": "API token with the role admin", "hostCredential": "host credential",
				"loginCookie": "login with the role " + strings.Join(o.Roles, ", "),
			}[scheme]
			callers = append(callers, cmp.Or(name, scheme))
		}
	}
	if len(callers) == 0 {
		return "Open to all."
	}
	return "Needs: " + strings.Join(callers, ", or ") + "."
}

// kind is a schema's type in words, without the name that it may link to.
func (s schema) kind() string {
	switch {
	case s.Ref != "":
		return ""
	case s.Items != nil:
		return strings.TrimSpace("list of " + s.Items.kind())
	}
	var alternatives []string
	for _, a := range slices.Concat(s.AnyOf, s.OneOf) {
		alternatives = append(alternatives, strings.TrimSpace(a.kind()+" "+a.link()))
	}
	if len(alternatives) > 0 {
		return strings.Join(alternatives, " or ")
	}
	var kinds []string
	if json.Unmarshal(s.Type, &kinds) != nil {
		kinds = []string{strings.Trim(string(s.Type), `"`)}
	}
	kind := strings.Join(kinds, " or ")
	if s.Format != "" {
		kind += " (" + s.Format + ")"
	}
	return kind
}

// link is the name of the schema that is referred to.
func (s schema) link() string {
	if s.Items != nil {
		return s.Items.link()
	}
	return strings.TrimPrefix(s.Ref, "#/components/schemas/")
}

// limits are a schema's bounds in words.
func (s schema) limits() string {
	var limits []string
	say := func(word string, n *json.Number) {
		if n != nil {
			limits = append(limits, word+" "+n.String())
		}
	}
	say("from", s.Minimum)
	say("to", s.Maximum)
	say("at most, in characters:", s.MaxLength)
	say("at most, in entries:", s.MaxItems)
	if len(s.Enum) > 0 {
		var words []string
		for _, v := range s.Enum {
			words = append(words, fmt.Sprint(v))
		}
		limits = append(limits, "one of "+strings.Join(words, ", "))
	}
	if s.Default != nil {
		limits = append(limits, fmt.Sprintf("usually %v", s.Default))
	}
	return strings.Join(limits, ", ")
}

func pretty(text json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, text, "", "  ") != nil {
		return string(text)
	}
	return out.String()
}
