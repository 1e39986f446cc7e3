package httpapi_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// changesOf returns what was changed, the oldest first.
func changesOf(b *servertest.Bench) []string {
	b.T.Helper()
	list, err := b.Store.Audit.List(b.T.Context(), 1<<62, 1000)
	if err != nil {
		b.T.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.What)
	}
	slices.Reverse(got)
	return got
}

// A token is made by a login or a token of an administrator, its secret is shown once, and
// it is good until it is revoked; who is limited makes none.
func TestTokensByAPI(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	b.Send(b.Host("h"), servertest.Minute("m-in", 0), servertest.Minute("m-out", 0))
	b.Group("in", "m-in")
	b.User("root", directory.RoleAdmin)
	root := b.Login("root")
	var made, second api.TokenMade
	r := b.Do(http.MethodPost, "/api/tokens", "", api.TokenDraft{Name: "all", Role: "admin"}, root...)
	r.Wants(http.StatusCreated, &made)
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", r.Header)
	}
	b.Do(http.MethodPost, "/api/tokens", made.Secret, api.TokenDraft{Name: "some", Role: "viewer", Groups: []string{"in"}}).Wants(http.StatusCreated, &second)
	var machines api.MachineList
	b.Do(http.MethodGet, "/api/machines", second.Secret, nil).Wants(http.StatusOK, &machines)
	if len(machines.Machines) != 1 || machines.Machines[0].MachineID != "m-in" {
		t.Errorf("%+v", machines)
	}
	for _, draft := range []api.TokenDraft{{Name: "more", Role: "admin"}, {Name: "more", Role: "viewer"}} {
		b.Do(http.MethodPost, "/api/tokens", second.Secret, draft).Refused(http.StatusForbidden, api.CodeForbidden)
	}
	for _, bad := range []string{
		`{"name":"x","role":"manager"}`, `{"name":" ","role":"admin"}`, `{"name":"x","role":"admin","groups":["in"]}`, `{"name":"x","role":"viewer","groups":["nowhere"]}`,
		`{"name":"x","role":"viewer","groups":[""]}`, `{"name":"a\u009bb","role":"viewer"}`, `{"name":"` + strings.Repeat("x", 101) + `","role":"viewer"}`, `{"name":"x","role":"viewer","group":["in"]}`,
	} {
		b.Do(http.MethodPost, "/api/tokens", made.Secret, []byte(bad), "Content-Type", "application/json").Refused(http.StatusBadRequest, api.CodeBadRequest)
	}
	list := b.Do(http.MethodGet, "/api/tokens", made.Secret, nil)
	var all api.TokenList
	list.Wants(http.StatusOK, &all)
	_, secret, _ := strings.Cut(second.Secret, ".")
	i := slices.IndexFunc(all.Tokens, func(t api.Token) bool { return t.ID == second.Token.ID })
	if i < 0 || all.Tokens[i].Name != "some" || !slices.Equal(all.Tokens[i].Groups, []string{"in"}) || strings.Contains(string(list.Body), secret) {
		t.Errorf("%s", list.Body)
	}
	b.Do(http.MethodDelete, "/api/tokens/"+second.Token.ID, made.Secret, nil).Wants(http.StatusNoContent, nil)
	b.Do(http.MethodDelete, "/api/tokens/"+second.Token.ID, made.Secret, nil).Refused(http.StatusNotFound, api.CodeNotFound)
	b.Do(http.MethodGet, "/api/machines", second.Secret, nil).Refused(http.StatusUnauthorized, api.CodeUnauthorized)
	if got := changesOf(b); !slices.Equal(got[len(got)-3:], []string{"token.created", "token.created", "token.revoked"}) {
		t.Errorf("%q", got)
	}
}

// An enrolment token that was made by API enrols as often as it was made for, and not when it was
// revoked.
func TestEnrollmentsByAPI(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	var made, revoked api.EnrollmentMade
	b.Do(http.MethodPost, "/api/enrollments", admin, []byte(`{}`)).Wants(http.StatusCreated, &made)
	if e := made.Enrollment; e.UsesLeft != directory.EnrollmentUses || e.ExpiresAt.Sub(e.CreatedAt) != directory.EnrollmentExpiry || e.Kind != api.EnrollHost || e.State != api.EnrollmentGood {
		t.Errorf("%+v", made)
	}
	b.Do(http.MethodPost, "/api/enrollments", admin, []byte(`{"kind":"user","uses":3,"expires_in_sec":60,"for_host":"h2"}`)).Wants(http.StatusCreated, &revoked)
	for _, bad := range []string{`{"uses":0}`, `{"uses":100001}`, `{"expires_in_sec":59}`, `{"expires_in_sec":9223372036854775807}`, `{"for_host":"a b"}`, `{"kind":"x"}`, `{"expires":1}`} {
		b.Do(http.MethodPost, "/api/enrollments", admin, []byte(bad)).Refused(http.StatusBadRequest, api.CodeBadRequest)
	}
	enroll := func(secret, host string, kind api.EnrollKind) servertest.Reply {
		t.Helper()
		return b.Do(http.MethodPost, "/api/enroll", "", api.EnrollRequest{EnrollmentToken: secret, HostID: host, Hostname: host, Kind: kind})
	}
	enroll(made.Secret, "h1", api.EnrollHost).Wants(http.StatusCreated, nil)
	var all api.EnrollmentList
	b.Do(http.MethodGet, "/api/enrollments", admin, nil).Wants(http.StatusOK, &all)
	var got []string
	for _, e := range all.Enrollments {
		got = append(got, string(e.Kind)+" "+string(e.State)+" "+e.ForHost)
	}
	slices.Sort(got)
	if want := []string{"host used_up ", "user good h2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	b.Do(http.MethodDelete, "/api/enrollments/"+revoked.Enrollment.ID, admin, nil).Wants(http.StatusNoContent, nil)
	b.Do(http.MethodDelete, "/api/enrollments/"+revoked.Enrollment.ID, admin, nil).Refused(http.StatusNotFound, api.CodeNotFound)
	if r := enroll(revoked.Secret, "h2", api.EnrollUser); r.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// Hosts are listed page by page with the state of their credentials; one that is revoked
// reports no more, and its machine_ids can be given to another, as many as that may have.
func TestHostsByAPI(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	one := b.Host("h1")
	b.Host("h2")
	b.Send(one, servertest.Minute("a", 0), servertest.Minute("b", 0), servertest.Minute("c", 0), servertest.Minute("d", 0))
	states := func() (got []string) {
		t.Helper()
		for cursor := ""; ; {
			var list api.EnrolledHostList
			b.Do(http.MethodGet, "/api/hosts?limit=1&cursor="+cursor, admin, nil).Wants(http.StatusOK, &list)
			for _, h := range list.Hosts {
				got = append(got, h.HostID+" "+h.Hostname+" "+string(h.Credential))
				if (h.Machines > 0) != (h.LastSeen != nil) {
					t.Errorf("%+v", h)
				}
			}
			if cursor = list.NextCursor; cursor == "" {
				return got
			}
		}
	}
	if got, want := states(), []string{"h1 h1.example used", "h2 h2.example unused"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	var found api.EnrolledHostList
	b.Do(http.MethodGet, "/api/hosts?q=H2.EX", admin, nil).Wants(http.StatusOK, &found)
	var h2 api.EnrolledHost
	b.Do(http.MethodGet, "/api/hosts/h2", admin, nil).Wants(http.StatusOK, &h2)
	if len(found.Hosts) != 1 || !reflect.DeepEqual(found.Hosts[0], h2) || h2.HostID != "h2" {
		t.Errorf("%+v, %+v", found, h2)
	}
	b.Do(http.MethodGet, "/api/hosts/h9", admin, nil).Refused(http.StatusNotFound, api.CodeNotFound)
	for _, bad := range []string{"limit=0", "limit=1001", "limit=x", "cursor=a%20b", "q=%0A"} {
		b.Do(http.MethodGet, "/api/hosts?"+bad, admin, nil).Refused(http.StatusBadRequest, api.CodeBadRequest)
	}
	labelled := func(label string) {
		t.Helper()
		var h api.EnrolledHost
		for range 2 {
			b.Do(http.MethodPatch, "/api/hosts/h1", admin, api.HostPatch{Label: &label}).Wants(http.StatusOK, &h)
		}
		// The host's own name, which it sends with its events, changes nothing of it.
		b.Do(http.MethodPost, "/api/events", one, api.EventBatch{Events: []api.Event{servertest.Minute("a", 0)}}, api.HostnameHeader, "renamed-"+label).Wants(http.StatusOK, nil)
		var list api.EnrolledHostList
		b.Do(http.MethodGet, "/api/hosts", admin, nil).Wants(http.StatusOK, &list)
		if got := list.Hosts[0]; h.Label != label || got.Label != label || got.Hostname != "renamed-"+label {
			t.Errorf("%+v %+v", h, got)
		}
	}
	labelled("Reception")
	labelled("")
	b.Do(http.MethodPost, "/api/events", one, api.EventBatch{Events: []api.Event{servertest.Minute("a", 0)}}, api.HostnameHeader, "h1.example").Wants(http.StatusOK, nil)
	b.Do(http.MethodPatch, "/api/hosts/h9", admin, api.HostPatch{Label: new("x")}).Refused(http.StatusNotFound, api.CodeNotFound)
	for _, bad := range []string{`{}`, `{"label":"a\nb"}`, `{"label":"` + strings.Repeat("x", 257) + `"}`} {
		b.Do(http.MethodPatch, "/api/hosts/h1", admin, []byte(bad)).Refused(http.StatusBadRequest, api.CodeBadRequest)
	}
	b.Do(http.MethodDelete, "/api/hosts/h1/credential", admin, nil).Wants(http.StatusNoContent, nil)
	b.Do(http.MethodDelete, "/api/hosts/h9/credential", admin, nil).Refused(http.StatusNotFound, api.CodeNotFound)
	b.Do(http.MethodDelete, "/api/hosts/a%20b/credential", admin, nil).Refused(http.StatusNotFound, api.CodeNotFound)
	b.Do(http.MethodPost, "/api/events", one, api.EventBatch{Events: []api.Event{servertest.Minute("a", 1)}}).Refused(http.StatusUnauthorized, api.CodeUnauthorized)
	var moved api.MovedMachines
	b.Do(http.MethodPost, "/api/hosts/h2/machines", admin, api.MachineMove{MachineIDs: []string{"b", "a"}}).Wants(http.StatusOK, &moved)
	if want := []api.MovedMachine{{MachineID: "a", From: "h1", To: "h2"}, {MachineID: "b", From: "h1", To: "h2"}}; !slices.Equal(moved.Machines, want) {
		t.Errorf("%+v", moved)
	}
	if got, want := states(), []string{"h1 h1.example revoked", "h2 h2.example unused"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	b.Do(http.MethodPost, "/api/hosts/h9/machines", admin, api.MachineMove{MachineIDs: []string{"a"}}).Refused(http.StatusNotFound, api.CodeNotFound)
	b.Do(http.MethodPost, "/api/hosts/h1/machines", admin, api.MachineMove{MachineIDs: []string{"a", "nobody"}}).Refused(http.StatusNotFound, api.CodeNotFound)
	for _, bad := range []string{`{"machine_ids":[]}`, `{"machine_ids":["a\u0000"]}`, `{}`} {
		b.Do(http.MethodPost, "/api/hosts/h1/machines", admin, []byte(bad)).Refused(http.StatusBadRequest, api.CodeBadRequest)
	}
	person := b.EnrollmentFor(directory.Enrollment{Kind: api.EnrollUser, UsesLeft: 1, ExpiresAt: servertest.Minute("a", 0).Timestamp.AddDate(100, 0, 0)})
	b.Do(http.MethodPost, "/api/enroll", "", api.EnrollRequest{EnrollmentToken: person, HostID: "u1", Hostname: "u1", Kind: api.EnrollUser}).Wants(http.StatusCreated, nil)
	b.Do(http.MethodPost, "/api/hosts/u1/machines", admin, api.MachineMove{MachineIDs: []string{"a", "b", "c", "d"}}).Refused(http.StatusConflict, api.CodeHostFull)
}
