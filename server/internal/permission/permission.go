// Package permission is who may use which route: one table of routes and roles, for API
// tokens and for people who have logged in.
package permission

import (
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/store/directory"
)

// Entry is a route and who may use it. Whoever may is answered within their scope: what
// is out of it looks like what does not exist.
type Entry struct {
	// Route is the method and the path.
	Route string
	auth.Rule
}

// Table is all of it. A route that is not in it is open to all, or for nobody. README.md
// prints it.
func Table() []Entry {
	return slices.Concat(measured(), oneself(), administration(), logins())
}

func only(roles ...directory.Role) auth.Rule { return auth.Rule{Roles: roles} }

// measured are the routes about people who are measured, and their machines.
func measured() []Entry {
	admins, overseeing := only(directory.RoleAdmin), only(directory.RoleAdmin, directory.RoleAuditor)
	labelling := only(directory.RoleAdmin, directory.RoleManager)
	viewers := only(directory.RoleAdmin, directory.RoleManager, directory.RoleViewer)
	return []Entry{
		{"GET /api/live", viewers},
		{"GET /api/machines", viewers},
		{"GET /api/machines/{machine_id}", viewers},
		{"PATCH /api/machines/{machine_id}", labelling},
		{"GET /api/machines/{machine_id}/access", overseeing},
		{"GET /api/groups", viewers},
		{"GET /api/groups/{group}", viewers},
		{"PUT /api/groups/{group}", admins},
		{"PATCH /api/groups/{group}", admins},
		{"DELETE /api/groups/{group}", admins},
		{"GET /api/groups/{group}/machines", viewers},
		{"PUT /api/groups/{group}/machines", admins},
		{"PUT /api/groups/{group}/machines/{machine_id}", admins},
		{"DELETE /api/groups/{group}/machines/{machine_id}", admins},
		{"GET /api/groups/{group}/people", viewers},
		{"PUT /api/groups/{group}/people/{person}", admins},
		{"DELETE /api/groups/{group}/people/{person}", admins},
		{"GET /api/people", viewers},
		{"GET /api/people/{person}", viewers},
		{"GET /api/people/{person}/summary", viewers},
		{"GET /api/people/{person}/timeline", viewers},
		{"GET /api/people/{person}/events", viewers},
		{"GET /api/people/{person}/day", viewers},
		{"GET /api/people/{person}/notes", viewers},
		{"PUT /api/people/{person}/notes/{note}/answer", labelling},
		{"DELETE /api/people/{person}/notes/{note}/answer", labelling},
		{"GET /api/people/{person}/screenshots", viewers},
		{"GET /api/screenshots/{screenshot}", viewers},
		{"DELETE /api/screenshots/{screenshot}", admins},
		{"GET /api/people/{person}/access", overseeing},
		{"GET /api/people/{person}/export", admins},
		{"PATCH /api/people/{person}", labelling},
		{"DELETE /api/people/{person}", admins},
		{"POST /api/people/import", admins},
		{"POST /api/people/{person}/accounts", admins},
		{"DELETE /api/people/{person}/accounts/{machine_id}", admins},
		{"GET /api/activity/{machine_id}/events", viewers},
		{"GET /api/activity/{machine_id}/summary", viewers},
		{"GET /api/activity/{machine_id}/timeline", viewers},
		{"GET /api/reports/activity", viewers},
		{"GET /api/reports/apps", viewers},
		{"GET /api/reports/day", viewers},
		{"GET /api/reports/rhythm", viewers},
		{"GET /api/months", viewers},
		{"GET /api/months/{month}", viewers},
		{"POST /api/months/{month}", labelling},
		{"DELETE /api/months/{month}", labelling},
		{"GET /api/categories", viewers},
		{"PUT /api/categories", admins},
		{"POST /api/categories/preview", labelling},
	}
}

// everybody are all roles that somebody who has logged in may have.
func everybody() auth.Rule {
	return auth.Rule{Roles: []directory.Role{
		directory.RoleAdmin, directory.RoleManager, directory.RoleViewer, directory.RoleAuditor, directory.RoleSelf,
	}, LoginOnly: true}
}

// oneself are the routes about the caller as somebody who is measured. Nobody erases there.
func oneself() []Entry {
	own := everybody()
	return []Entry{
		{"GET /api/me", own},
		{"GET /api/me/summary", own},
		{"GET /api/me/timeline", own},
		{"GET /api/me/events", own},
		{"GET /api/me/day", own},
		{"GET /api/me/access", own},
		{"GET /api/me/notes", own},
		{"POST /api/me/notes", own},
		{"DELETE /api/me/notes/{note}", own},
		{"GET /api/me/export", own},
		{"GET /api/me/screenshots", own},
		{"GET /api/me/screenshots/{screenshot}", own},
		{"DELETE /api/me/screenshots/{screenshot}", own},
	}
}

// administration are the routes about policy, tokens and hosts, and what was changed.
func administration() []Entry {
	admins, overseeing := only(directory.RoleAdmin), only(directory.RoleAdmin, directory.RoleAuditor)
	return []Entry{
		{"GET /api/policies", overseeing},
		{"PUT /api/policies", admins},
		{"GET /api/policies/{version}", overseeing},
		{"POST /api/policies/preview", admins},
		{"GET /api/receipts", overseeing},
		{"GET /api/host-groups", overseeing},
		{"PUT /api/host-groups/{host_group}", admins},
		{"DELETE /api/host-groups/{host_group}", admins},
		{"POST /api/host-groups/{host_group}/preview", admins},
		{"GET /api/tokens", admins},
		{"POST /api/tokens", admins},
		{"DELETE /api/tokens/{token}", admins},
		{"GET /api/enrollments", admins},
		{"POST /api/enrollments", admins},
		{"DELETE /api/enrollments/{enrollment}", admins},
		{"GET /api/hosts", admins},
		{"GET /api/hosts/{host_id}", admins},
		{"PATCH /api/hosts/{host_id}", admins},
		{"DELETE /api/hosts/{host_id}/credential", admins},
		{"POST /api/hosts/{host_id}/machines", admins},
		{"GET /api/audit", overseeing},
		{"GET /api/erasures", overseeing},
		{"GET /api/erasures/{erasure}", overseeing},
	}
}

// logins are the routes about people who log in.
func logins() []Entry {
	admins := only(directory.RoleAdmin)
	own := only(directory.RoleAdmin, directory.RoleManager, directory.RoleViewer, directory.RoleAuditor)
	themselves := auth.Rule{Roles: own.Roles, LoginOnly: true}
	return []Entry{
		{"GET /api/login", themselves},
		{"POST /api/logout", everybody()},
		{"PUT /api/login/password", themselves},
		{"POST /api/login/second-step", themselves},
		{"PUT /api/login/second-step", themselves},
		{"DELETE /api/login/second-step", themselves},
		{"GET /api/users", admins},
		{"POST /api/users", admins},
		{"GET /api/users/{user}", admins},
		{"PATCH /api/users/{user}", admins},
		{"PUT /api/users/{user}/access", admins},
		{"PUT /api/users/{user}/person", admins},
		{"DELETE /api/users/{user}/person", admins},
		{"POST /api/users/{user}/invitation", admins},
		{"DELETE /api/users/{user}/second-step", admins},
		{"GET /api/users/{user}/sessions", own},
		{"DELETE /api/users/{user}/sessions", own},
		{"DELETE /api/users/{user}/sessions/{session}", own},
	}
}

// Pages is who may open which page for people; the API answers nothing there. A page that is
// not in it is open to all.
func Pages() []Entry {
	viewers := auth.Rule{Roles: []directory.Role{directory.RoleAdmin, directory.RoleManager, directory.RoleViewer}, LoginOnly: true}
	admins := auth.Rule{Roles: []directory.Role{directory.RoleAdmin}, LoginOnly: true}
	overseeing := auth.Rule{Roles: []directory.Role{directory.RoleAdmin, directory.RoleAuditor}, LoginOnly: true}
	return []Entry{
		{"GET /", viewers},
		{"GET /day", viewers},
		{"GET /hours", viewers},
		{"GET /rhythm", viewers},
		{"GET /apps", viewers},
		{"GET /compare", viewers},
		{"GET /people/{id}", viewers},
		{"GET /people", auth.Rule{Roles: []directory.Role{directory.RoleAdmin, directory.RoleManager}, LoginOnly: true}},
		{"GET /me", everybody()},
		{"GET /about", everybody()},
		{"GET /groups", admins},
		{"GET /groups/{id}", admins},
		{"GET /hosts", admins},
		{"GET /hosts/{id}", admins},
		{"GET /host-groups/{id}", admins},
		{"GET /users", admins},
		{"GET /users/{id}", admins},
		{"GET /tokens", admins},
		{"GET /policy", overseeing},
		{"GET /account", auth.Rule{Roles: slices.Concat(viewers.Roles, []directory.Role{directory.RoleAuditor}), LoginOnly: true}},
		{"GET /receipts", overseeing},
		{"GET /audit", overseeing},
		{"GET /categories", viewers},
	}
}

// OfRoute returns who may use the route that took a request.
func OfRoute() func(*http.Request) auth.Rule {
	rules := map[string]auth.Rule{}
	for _, p := range Table() {
		rules[p.Route] = p.Rule
	}
	return func(r *http.Request) auth.Rule {
		routing := chi.RouteContext(r.Context())
		return rules[routing.RouteMethod+" "+routing.RoutePattern()]
	}
}
