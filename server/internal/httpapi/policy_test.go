package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
)

// put writes a policy.
func put(b *servertest.Bench, admin string, body any, ifMatch string) servertest.Reply {
	b.T.Helper()
	return b.Do(http.MethodPut, "/api/policies", admin, body, "If-Match", ifMatch)
}

// draft is a body of PUT /api/policies.
func draft(group, document string) json.RawMessage {
	text, _ := json.Marshal(group)
	if group == "" {
		text = []byte("null")
	}
	return json.RawMessage(fmt.Sprintf(`{"host_group":%s,"policy":%s}`, text, document))
}

// A host learns of a policy with its next upload, asks for it once, and has what is to
// come as well; of another group's it learns nothing.
func TestHostsGetTheirPolicy(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin, one, two := b.Token(directory.RoleAdmin), b.Host("one"), b.Host("two")
	ask := func(host string, headers ...string) (servertest.Reply, policy.Reply) {
		t.Helper()
		r := b.Do(http.MethodGet, "/api/policy", host, nil, headers...)
		var p policy.Reply
		if r.Status == http.StatusOK {
			r.Wants(http.StatusOK, &p)
			if again, err := policy.ParseReply(r.Body); err != nil || again.Revision != p.Revision {
				t.Fatalf("a host does not take %s: %v", r.Body, err)
			}
		}
		return r, p
	}
	if _, p := ask(one); !p.None || p.Revision != 0 {
		t.Errorf("without a policy: %+v", p)
	}
	var sent api.IngestReply
	b.Do(http.MethodPost, "/api/events", one, api.EventBatch{Events: []api.Event{}}).Wants(200, &sent)
	if sent.PolicyRevision != nil {
		t.Errorf("revision %d of nothing", *sent.PolicyRevision)
	}
	b.Do(http.MethodPut, "/api/host-groups/night", admin, api.HostGroupMembers{Hosts: []string{"two"}}).Wants(204, nil)
	put(b, admin, draft("", `{"titles":false}`), `"0"`).Wants(201, nil)
	put(b, admin, draft("night", `{"notice":{"en":"only for night"}}`), `"1"`).Wants(201, nil)
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	put(b, admin, json.RawMessage(`{"valid_from":"`+later+`","policy":{"pause":false}}`), `"2"`).Wants(201, nil)
	first, p := ask(one)
	if p.None || len(p.Policies) != 2 || p.Policies[0].Version != 1 || p.Policies[1].Version != 3 || strings.Contains(string(first.Body), "night") {
		t.Errorf("%s", first.Body)
	}
	if e := policy.Narrow(policy.Document{}, p.At(time.Now())); e.Titles || !e.Pause {
		t.Errorf("now %+v", e)
	}
	if e := policy.Narrow(policy.Document{}, p.At(p.Next(time.Now()))); !e.Titles || e.Pause {
		t.Errorf("later %+v", e)
	}
	if _, p := ask(two); len(p.Policies) != 3 {
		t.Errorf("of the group: %+v", p)
	}
	tag := first.Header.Get("ETag")
	if r, _ := ask(one, "If-None-Match", `"x", W/`+tag); r.Status != http.StatusNotModified || len(r.Body) > 0 {
		t.Errorf("the same again: %d", r.Status)
	}
	if r, _ := ask(two, "If-None-Match", tag); r.Status != http.StatusOK {
		t.Errorf("another host's ETag: %d", r.Status)
	}
	b.Do(http.MethodPost, "/api/events", one, api.EventBatch{Events: []api.Event{}}).Wants(200, &sent)
	if sent.PolicyRevision == nil || *sent.PolicyRevision != p.Revision {
		t.Errorf("an upload tells of %v, want %d", sent.PolicyRevision, p.Revision)
	}
	b.Do(http.MethodDelete, "/api/host-groups/night", admin, nil).Wants(204, nil)
	if _, now := ask(two); len(now.Policies) != 2 || now.Revision <= p.Revision {
		t.Errorf("the group is gone: %+v", now)
	}
	b.Do(http.MethodGet, "/api/policy?host_group=night", one, nil).Refused(400, api.CodeBadRequest)
}

func TestHistoryOfPolicies(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	b.User("audit", directory.RoleAuditor)
	auditor := b.Login("audit")
	for i := range 3 {
		var w policy.Written
		r := put(b, admin, draft("", `{"work_hours":{"tz":"UTC","tue":["09:00-10:00"],"mon-fri":["08:00-17:00"]}}`), fmt.Sprintf(`"%d"`, i))
		r.Wants(201, &w)
		if r.Header.Get("ETag") != fmt.Sprintf(`"%d"`, i+1) || !w.InForce || !strings.HasPrefix(w.Author, "token tok_") || w.Policy.WorkHours.Days()[0].Days != "mon-fri" {
			t.Errorf("%s %+v", r.Header.Get("ETag"), w)
		}
	}
	var list policy.InfoList
	r := b.Do(http.MethodGet, "/api/policies?limit=2", "", nil, auditor...)
	r.Wants(200, &list)
	if len(list.Policies) != 2 || list.Policies[0].Version != 3 || list.Policies[1].InForce || list.NextCursor == "" || r.Header.Get("ETag") != `"3"` {
		t.Fatalf("%s %s", r.Body, r.Header.Get("ETag"))
	}
	older := "/api/policies?limit=2&cursor=" + list.NextCursor
	list = policy.InfoList{}
	b.Do(http.MethodGet, older, "", nil, auditor...).Wants(200, &list)
	if len(list.Policies) != 1 || list.Policies[0].Version != 1 || list.NextCursor != "" {
		t.Errorf("%+v", list)
	}
	var w policy.Written
	b.Do(http.MethodGet, "/api/policies/1", "", nil, auditor...).Wants(200, &w)
	b.Do(http.MethodGet, "/api/policies/4", "", nil, auditor...).Refused(404, api.CodeNotFound)
	b.Do(http.MethodGet, "/api/policies/x", "", nil, auditor...).Refused(404, api.CodeNotFound)
	b.Do(http.MethodGet, "/api/policies?limit=0", admin, nil).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodGet, "/api/policies?cursor=x", admin, nil).Refused(400, api.CodeBadRequest)
}

func TestPoliciesThatAreRefused(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	rules := func(n int, pattern string) string {
		return `{"title_rules":[` + strings.TrimSuffix(strings.Repeat(fmt.Sprintf(`{"title":%q,"action":"drop"},`, pattern), n), ",") + `]}`
	}
	for _, test := range []struct {
		name string
		body any
		code api.Code
		want string
	}{
		{"a MiB of room", draft("", `{"notice":{"en":"`+strings.Repeat("a", 1<<20)+`"}}`), api.CodePolicyTooLarge, "131072 bytes"},
		{"129 KiB", draft("", `{"notice":{"en":"`+strings.Repeat("a", 129<<10)+`"}}`), api.CodePolicyTooLarge, "131072 bytes"},
		{"10,000 rules", draft("", rules(10_000, "a")), api.CodePolicyTooLarge, ""},
		{"201 rules", draft("", rules(201, "a")), api.CodePolicyTooLarge, "title_rules: 201 rules"},
		{"a long pattern", draft("", rules(1, strings.Repeat("a", 513))), api.CodePolicyTooLarge, "title_rules[0].title"},
		{"patterns of 33 KiB", draft("", rules(100, strings.Repeat("a", 340))), api.CodePolicyTooLarge, "bytes of patterns"},
		{"a pattern that is large when compiled", draft("", rules(1, strings.Repeat("a{1000}", 60))), api.CodePolicyTooLarge, "compiled"},
		{"repeats of repeats", draft("", rules(1, "(a{1000}){1000}")), api.CodeBadRequest, "title_rules[0].title"},
		{"no pattern", draft("", rules(1, "(")), api.CodeBadRequest, "title_rules[0].title"},
		{"a field that is unknown", draft("", `{"titels":false}`), api.CodeBadRequest, "titels"},
		{"a field beside it", json.RawMessage(`{"policy":{},"hosts":1}`), api.CodeBadRequest, "hosts"},
		{"no policy", json.RawMessage(`{}`), api.CodeBadRequest, "policy is missing"},
		{"the past", json.RawMessage(`{"valid_from":"2020-01-01T00:00:00Z","policy":{}}`), api.CodeBadRequest, "valid_from"},
		{"no such group", draft("nowhere", `{}`), api.CodeBadRequest, "host_group"},
		{"how long a group's is kept", draft("nowhere", `{"retention":{"events_days":1}}`), api.CodeBadRequest, "retention"},
		{"a zone of its own", draft("", `{"work_hours":{"tz":"Local"}}`), api.CodeBadRequest, "work_hours.tz"},
	} {
		r := put(b, admin, test.body, "*")
		r.Refused(400, test.code)
		if !strings.Contains(string(r.Body), test.want) {
			t.Errorf("%s: %s", test.name, r.Body)
		}
	}
	b.Do(http.MethodPut, "/api/policies", admin, draft("", "{}")).Refused(428, api.CodeVersionMissing)
	put(b, admin, draft("", "{}"), `"7"`).Refused(412, api.CodeChangedMeanwhile)
	put(b, admin, draft("", "{}"), `nonsense`).Refused(412, api.CodeChangedMeanwhile)
	b.Do(http.MethodPut, "/api/host-groups/g", admin, api.HostGroupMembers{Hosts: []string{"nobody"}}).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodPut, "/api/host-groups/g", admin, json.RawMessage(`{}`)).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodPut, "/api/host-groups/g", admin, json.RawMessage(`{"hosts":["`+strings.Repeat("a", 2<<20)+`"]}`)).Refused(413, api.CodeTooLarge)
	b.Do(http.MethodDelete, "/api/host-groups/g", admin, nil).Refused(404, api.CodeNotFound)
	var list policy.InfoList
	b.Do(http.MethodGet, "/api/policies", admin, nil).Wants(200, &list)
	if len(list.Policies) != 0 {
		t.Errorf("what is refused is kept: %+v", list)
	}
}

// Of two administrators who have looked at the same version one writes.
func TestTwoAdministratorsAtOnce(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	var all sync.WaitGroup
	var written atomic.Int32
	for range 6 {
		all.Go(func() {
			if put(b, admin, draft("", "{}"), `"0"`).Status == http.StatusCreated {
				written.Add(1)
			}
		})
	}
	all.Wait()
	if written.Load() != 1 {
		t.Errorf("%d have written", written.Load())
	}
}

func TestHostGroupsAreListed(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	b.Host("one")
	b.Do(http.MethodPut, "/api/host-groups/b%20c", admin, api.HostGroupMembers{Hosts: []string{"one", "one"}}).Wants(204, nil)
	b.Do(http.MethodPut, "/api/host-groups/a", admin, api.HostGroupMembers{Hosts: []string{}}).Wants(204, nil)
	var list api.HostGroupList
	b.Do(http.MethodGet, "/api/host-groups", admin, nil).Wants(200, &list)
	if len(list.HostGroups) != 2 || list.HostGroups[1].Name != "b c" || len(list.HostGroups[1].Hosts) != 1 || list.HostGroups[0].Hosts == nil {
		t.Errorf("%+v", list)
	}
}

// A change of another version than there is is refused, where it names one.
func TestHostGroupVersions(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	b.Host("one")
	version := func() string {
		var list api.HostGroupList
		b.Do(http.MethodGet, "/api/host-groups", admin, nil).Wants(200, &list)
		return list.HostGroups[0].Version
	}
	put := func(match string, hosts ...string) servertest.Reply {
		return b.Do(http.MethodPut, "/api/host-groups/g", admin, api.HostGroupMembers{Hosts: append([]string{}, hosts...)}, "If-Match", match)
	}
	put(`"x"`, "one").Refused(412, api.CodeChangedMeanwhile)
	put(`"0"`, "one").Wants(204, nil)
	put(`"0"`).Refused(412, api.CodeChangedMeanwhile)
	first := version()
	put(`"x", "`+first+`"`).Wants(204, nil)
	put(`"`+first+`"`, "one").Refused(412, api.CodeChangedMeanwhile)
	put("*", "one").Wants(204, nil)
	if version() != first {
		t.Error("what is the same has another version")
	}
}

// What an administrator confirms of a group's hosts is shown and written down, joins accounts
// as its preview said, and has to be confirmed anew of hosts that come.
func TestNameRuleByAPI(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	id, admin := freshToken(b)
	named := func(machine, user string) api.Event {
		e := servertest.Minute(machine, 0)
		e.Username = user
		return e
	}
	b.Send(b.Host("one"), named("one-anna", "anna"), named("one-bob", "bob"))
	two := b.Host("two")
	b.Send(two, named("two-anna", "anna"))
	b.Host("three")
	const group, both = "/api/host-groups/office", `{"hosts":["one","two"]`
	set := func(body string) servertest.Reply { return b.Do(http.MethodPut, group, admin, json.RawMessage(body)) }
	var preview api.NamesPreview
	b.Do(http.MethodPost, group+"/preview", admin, json.RawMessage(both+`}`)).Wants(200, &preview)
	if preview.People != 1 || preview.Accounts != 1 || len(preview.Names) != 1 || !slices.Equal(preview.Names[0].Joined, []string{"one-anna", "two-anna"}) || preview.Names[0].Person == "" {
		t.Errorf("%+v", preview)
	}
	for _, machine := range []string{"one-anna", "two-anna"} {
		if list := lookedAt(b, id, machine); len(list) != 1 || list[0].What != api.LookedPreview {
			t.Errorf("looks at %s: %+v", machine, list)
		}
	}
	accounts := func() int {
		t.Helper()
		var list api.PersonList
		b.Do(http.MethodGet, "/api/people?machine_id=one-anna", admin, nil).Wants(200, &list)
		return len(list.People[0].Accounts)
	}
	groups := func() (list api.HostGroupList) {
		t.Helper()
		b.Do(http.MethodGet, "/api/host-groups", admin, nil).Wants(200, &list)
		return list
	}
	if n, list := accounts(), groups(); n != 1 || len(list.HostGroups) != 0 {
		t.Error("a preview changed something:", n, list)
	}
	set(both+`}`).Wants(204, nil)
	if g := groups().HostGroups[0]; g.SameDirectory || g.ConfirmedAt != nil || accounts() != 1 {
		t.Errorf("%+v", g)
	}
	set(both+`,"same_directory":true}`).Wants(204, nil)
	if g := groups().HostGroups[0]; !g.SameDirectory || g.ConfirmedAt == nil || g.ConfirmedBy != "token "+id || accounts() != 2 {
		t.Errorf("%+v, %d accounts", g, accounts())
	}
	b.Send(two, named("two-anna-2", "anna"))
	if n := accounts(); n != 3 {
		t.Errorf("%d accounts", n)
	}
	set(`{"hosts":["one","two","three"]}`).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodPut, "/api/host-groups/other", admin, json.RawMessage(`{"hosts":["two"],"same_directory":true}`)).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodPost, "/api/host-groups/other/preview", admin, json.RawMessage(`{"hosts":["two"]}`)).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodPost, group+"/preview", admin, json.RawMessage(`{"hosts":["nobody"]}`)).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodPost, group+"/preview", admin, json.RawMessage(`{"hosts":["`+strings.Repeat("a", 2<<20)+`"]}`)).Refused(413, api.CodeTooLarge)
	set(both+`,"same_directory":false}`).Wants(204, nil)
	if g := groups().HostGroups[0]; g.SameDirectory || g.ConfirmedBy != "" || accounts() != 1 {
		t.Errorf("%+v, %d accounts", g, accounts())
	}
	list, err := b.Store.Audit.List(t.Context(), 1<<62, 1000)
	list = slices.DeleteFunc(list, func(e audit.Entry) bool { return e.Details == nil || !strings.Contains(*e.Details, "same_directory") })
	if err != nil || len(list) != 2 {
		t.Errorf("%+v are written down (%v)", list, err)
	}
}

// What hosts and administrators are refused by what they send beside the body.
func TestPolicyRoutesRefuse(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, receipt := b.Host("one"), api.Receipt{MachineID: "m", Notice: "0123456789abcdef", ReadAt: time.Now()}
	b.Do(http.MethodGet, "/api/policy", "", nil).Refused(401, api.CodeUnauthorized)
	b.Do(http.MethodPost, "/api/receipts", "", receipt).Refused(401, api.CodeUnauthorized)
	b.Do(http.MethodPost, "/api/receipts", host, receipt, "Accept", "text/csv").Refused(406, api.CodeNotAcceptable)
	b.Do(http.MethodPut, "/api/host-groups/night", b.Token(directory.RoleAdmin), api.HostGroupMembers{}, "Accept", "text/csv").Refused(406, api.CodeNotAcceptable)
}

// A receipt is of a machine_id that the host owns, is kept once, and listed.
func TestReceipts(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin, one, two := b.Token(directory.RoleAdmin), b.Host("one"), b.Host("two")
	b.User("audit", directory.RoleAuditor)
	b.Send(one, servertest.Minute("m-1", 0), servertest.Minute("m-2", 0))
	const first, second = "0123456789abcdef", "fedcba9876543210"
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	send := func(host, machine, notice string, at time.Time) servertest.Reply {
		t.Helper()
		return b.Do(http.MethodPost, "/api/receipts", host, api.Receipt{MachineID: machine, Notice: notice, ReadAt: at})
	}
	send(one, "m-1", first, at).Wants(204, nil)
	send(one, "m-1", first, at.Add(time.Hour)).Wants(204, nil)
	send(one, "m-1", second, at).Wants(204, nil)
	send(one, "m-2", first, at).Wants(204, nil)
	send(two, "m-1", first, at).Refused(404, api.CodeNotFound)
	send(one, "m-3", first, at).Refused(404, api.CodeNotFound)
	send(one, "", first, at).Refused(400, api.CodeBadRequest)
	send(one, "m-1", "<b>", at).Refused(400, api.CodeBadRequest)
	send(one, "m-1", first, time.Now().Add(25*time.Hour)).Refused(400, api.CodeBadRequest)
	send(one, "m-1", first, time.Time{}).Refused(400, api.CodeBadRequest)
	send(one, strings.Repeat("m", 5000), first, at).Refused(413, api.CodeTooLarge)
	var list api.ReceiptList
	b.Do(http.MethodGet, "/api/receipts", "", nil, b.Login("audit")...).Wants(200, &list)
	if len(list.Receipts) != 3 || list.Receipts[0].MachineID != "m-1" || !list.Receipts[0].ReadAt.Equal(at) || list.Receipts[0].HostID != "one" || list.Receipts[0].Hostname != "one.example" {
		t.Errorf("%+v", list)
	}
	list = api.ReceiptList{}
	b.Do(http.MethodGet, "/api/receipts?limit=2", admin, nil).Wants(200, &list)
	next := list.NextCursor
	list = api.ReceiptList{}
	b.Do(http.MethodGet, "/api/receipts?limit=2&cursor="+next, admin, nil).Wants(200, &list)
	if len(list.Receipts) != 1 || list.Receipts[0].MachineID != "m-2" || list.NextCursor != "" {
		t.Errorf("%q: %+v", next, list)
	}
	if csv := b.Do(http.MethodGet, "/api/receipts?format=csv&notice="+second, admin, nil); strings.Count(string(csv.Body), "\n") != 2 || !strings.Contains(string(csv.Body), second) {
		t.Errorf("%s", csv.Body)
	}
	for _, query := range []string{"notice=x", "limit=0", "cursor=x"} {
		b.Do(http.MethodGet, "/api/receipts?"+query, admin, nil).Refused(400, api.CodeBadRequest)
	}
}
