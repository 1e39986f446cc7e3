package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/internal/problem"
)

// DescribedQueries refuses, of a route that took a request, the query parameters
// that its description does not have: a filter that is misspelt, or given twice,
// would otherwise be left out, and the answer be about everybody. What the
// description names is all that there is, so the two can't drift apart.
func DescribedQueries() func(http.Handler) http.Handler {
	described, err := queryParameters(document)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err != nil {
				problem.Write(w, r, problem.Internal(fmt.Errorf("reading the API's description: %w", err)))
				return
			}
			routing := chi.RouteContext(r.Context())
			if refusal := checkQuery(r.URL.RawQuery, described[routing.RouteMethod+" "+routing.RoutePattern()]); refusal != nil {
				problem.Write(w, r, refusal)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// queryParameters returns the names of each operation's query parameters, by method
// and route.
func queryParameters(text []byte) (map[string][]string, error) {
	var d described
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	if err := d.resolve(); err != nil {
		return nil, err
	}
	names := map[string][]string{}
	for _, path := range d.Paths {
		for _, operation := range path.Value {
			key := strings.ToUpper(operation.Key) + " " + path.Key
			for _, p := range operation.Value.Parameters {
				if p.In == "query" {
					names[key] = append(names[key], p.Name)
				}
			}
		}
	}
	return names, nil
}

// checkQuery refuses a query that can't be read as a whole, a parameter that is not
// among the known ones, and one that is given more than once.
func checkQuery(query string, known []string) error {
	given, err := url.ParseQuery(query)
	if err != nil {
		return problem.BadRequest("The query can't be read: " + err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case len(known) == 0:
			return problem.BadRequest(fmt.Sprintf("There is no query parameter %q: this takes none.", name))
		case !slices.Contains(known, name):
			return problem.BadRequest(fmt.Sprintf("There is no query parameter %q: this takes %s.", name, strings.Join(known, ", ")))
		case len(given[name]) > 1:
			return problem.BadRequest(fmt.Sprintf("%s: want it once", name))
		}
	}
	return nil
}
