package openapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
)

type content struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Schemas map[string]struct {
			Properties map[string]json.RawMessage
		}
	}
}

func readDocument(t *testing.T) content {
	t.Helper()
	var d content
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDescriptionMatchesTypes(t *testing.T) {
	schemas := readDocument(t).Components.Schemas
	types := []any{
		api.Event{},
		api.Focus{},
		api.EventBatch{},
		api.Rejection{},
		api.NotCollected{},
		api.IngestReply{},
		api.NotCollectedReply{},
		api.EnrollRequest{},
		api.EnrollReply{},
		api.Machine{},
		api.MachineList{},
		api.MachinePatch{},
		api.LiveMachine{},
		api.LiveMachines{},
		api.Group{},
		api.GroupList{},
		api.GroupPatch{},
		api.GroupMembers{},
		api.GroupMembersReply{},
		api.Person{},
		api.Account{},
		api.PersonList{},
		api.PersonPatch{},
		api.PersonJoin{},
		api.PeopleImport{},
		api.AccountOwner{},
		api.PeopleImported{},
		api.AccountMoved{},
		api.PersonSummary{},
		api.PersonTimeline{},
		api.PersonEvents{},
		api.PersonDay{},
		api.Segment{},
		api.DayReport{},
		api.PersonSegments{},
		api.RhythmReport{},
		api.RhythmHour{},
		api.MonthDraft{},
		api.ClosedMonth{},
		api.ClosedMonthList{},
		api.MonthReport{},
		api.MonthDay{},
		api.AccessList{},
		api.PersonAccessList{},
		api.Token{},
		api.TokenList{},
		api.TokenDraft{},
		api.TokenMade{},
		api.Enrollment{},
		api.EnrollmentList{},
		api.EnrollmentDraft{},
		api.EnrollmentMade{},
		api.EnrolledHost{},
		api.EnrolledHostList{},
		api.MachineMove{},
		api.MovedMachine{},
		api.MovedMachines{},
		api.Access{},
		api.ChangeList{},
		api.Change{},
		api.Erasure{},
		api.Erased{},
		api.ErasureList{},
		api.EventList{},
		api.AppMinutes{},
		api.Summary{},
		api.Hour{},
		api.Timeline{},
		api.Problem{},
		api.ActivityReport{},
		api.ActivityRow{},
		api.AppsReport{},
		api.AppRow{},
		api.Category{},
		api.Pattern{},
		api.CategoryList{},
		api.UserAccess{},
		api.User{},
		api.UserList{},
		api.UserInvite{},
		api.UserInvitation{},
		api.UserPatch{},
		api.InvitationAcceptance{},
		api.LoginRequest{},
		api.Login{},
		api.PasswordChange{},
		api.LoginSession{},
		api.LoginSessionList{},
		api.SecondStepRequest{},
		api.SecondStep{},
		api.SecondStepCode{},
		api.RecoveryCodes{},
		api.Receipt{},
		api.ReceiptRow{},
		api.SelfLinkRequest{},
		api.SelfLink{},
		api.SelfSessionRequest{},
		api.SelfSession{},
		api.UserPerson{},
		api.Screenshot{},
		api.ScreenshotAdded{},
		api.ScreenshotList{},
		api.Note{},
		api.NoteList{},
		api.NoteDraft{},
		api.NoteAnswer{},
		api.Logout{},
		api.PolicyPreviewDraft{},
		api.TitlePreview{},
		api.TitlePreviewApp{},
		api.TitleShare{},
		api.TitleExample{},
		api.CategoryPreview{},
		api.CategoryShift{},
		api.MovedUse{},
		api.ReceiptList{},
		api.HostGroup{},
		api.HostGroupList{},
		api.HostGroupMembers{},
		api.NamesPreview{},
		api.NamePreview{},
		api.PersonAside{},
		api.HostPatch{},
		policy.Document{},
		policy.Rule{},
		policy.Screenshots{},
		policy.Notice{},
		policy.Retention{},
		policy.Version{},
		policy.Reply{},
		policy.Info{},
		policy.InfoList{},
		policy.Written{},
		policy.Draft{},
	}
	if len(types) != len(schemas) {
		t.Errorf("%d schemas, %d types", len(schemas), len(types))
	}
	for _, v := range types {
		typ := reflect.TypeOf(v)
		var have, want []string
		schema := typ.Name()
		if strings.HasSuffix(typ.PkgPath(), "/policy") {
			schema = "Policy" + schema
		}
		for name := range schemas[schema].Properties {
			have = append(have, name)
		}
		for _, field := range reflect.VisibleFields(typ) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !field.Anonymous {
				want = append(want, name)
			}
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("%s: described %v, is %v", typ.Name(), have, want)
		}
	}
}

// Every property of every object is explained, wherever it stands: in a schema of
// its own or in that of one reply.
func TestEveryPropertyIsDescribed(t *testing.T) {
	var all any
	if err := json.Unmarshal(document, &all); err != nil {
		t.Fatal(err)
	}
	found := 0
	var look func(place string, v any)
	look = func(place string, v any) {
		switch v := v.(type) {
		case []any:
			for _, each := range v {
				look(place, each)
			}
		case map[string]any:
			properties, _ := v["properties"].(map[string]any)
			for name, p := range properties {
				found++
				text, _ := p.(map[string]any)["description"].(string)
				if len(strings.TrimSpace(text)) < 10 || !strings.HasSuffix(text, ".") {
					t.Errorf("%s.%s: described as %q", place, name, text)
				}
			}
			for key, each := range v {
				look(place+"/"+key, each)
			}
		}
	}
	look("", all)
	if found < 100 {
		t.Errorf("only %d properties", found)
	}
}

// The codes of rejected events are those of the contract's table, in its order.
func TestRejectionCodesAreDescribed(t *testing.T) {
	var code struct {
		Enum        []api.Code
		Description string
	}
	if err := json.Unmarshal(readDocument(t).Components.Schemas["Rejection"].Properties["code"], &code); err != nil {
		t.Fatal(err)
	}
	var want []api.Code
	for _, row := range api.Rejections() {
		want = append(want, row.Code)
		if !strings.Contains(code.Description, string(row.Code)) {
			t.Errorf("the description does not say what to do with %s", row.Code)
		}
	}
	if !slices.Equal(code.Enum, want) {
		t.Errorf("described %v, the table has %v", code.Enum, want)
	}
}
