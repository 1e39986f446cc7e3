package erasure

// Fate is what becomes of a person's rows in a table, or of what they say.
type Fate struct {
	// Erased is when they go: AtOnce, or After.
	Erased string
	// Stays is why there is nothing to erase, where Erased is empty.
	Stays string
}

// When rows go.
const (
	AtOnce = "at once"
	After  = "after"
)

// Tables returns every table that there is, without partitions. A test compares it with
// the schema: whoever adds a table decides here what erasing somebody does with it.
func Tables() map[string]Fate {
	atOnce, after := Fate{Erased: AtOnce}, Fate{Erased: After}
	programs := Fate{Stays: "names of programs, whoever uses them"}
	groups := Fate{Stays: "groups as such; who was in them is in others"}
	hosts := Fate{Stays: "about hosts and their secrets, whoever works there"}
	logins := Fate{Stays: "about people who log in, whoever they are among those who are measured"}
	readers := Fate{Stays: "about those who looked; it goes with their last look"}
	months := Fate{Stays: "that months were closed, by whom and when; what people did in them is in month_person"}
	server := Fate{Stays: "about the server's own work"}
	own := Fate{Stays: "numbers and times of erasures, without who it was"}
	return map[string]Fate{
		"machine": atOnce, "account": atOnce, "person": atOnce, "group_member": atOnce, "group_person": atOnce, "receipt": atOnce, "screenshot": atOnce, "note": atOnce,
		"audit_text": atOnce, "month_person": atOnce, "policy": atOnce, "self_link": atOnce, "own_account": atOnce, "login_session": atOnce, "app_user": atOnce,
		"rule_move": atOnce,
		"event":     after, "event_hour": after, "rollup": after, "rollup_day": after, "not_collected": after, "title": after, "access_log": after, "access_set": after,
		"app": programs, "category_list": programs, "machine_group": groups, "month": months, "access_reader": readers,
		"audit_log": {Stays: "kinds, times and digests; what names somebody is in audit_text"},
		"host":      hosts, "host_credential": hosts, "enrollment": hosts, "host_group": hosts, "host_group_member": hosts, "host_heartbeat": hosts,
		"api_token": logins, "api_token_group": logins, "app_user_group": logins, "invitation": logins,
		"recovery_code": logins, "sso_user": logins, "sso_attempt": logins,
		"audit_head": server, "dropped": server, "policy_state": server, "screenshot_folder": server, "schema_migration": server, "title_sweep": server, "upkeep": server,
		"erasure": own, "erasure_machine": own, "erasure_title": own, "erasure_file": own, "tombstone": own, "tombstone_key": own,
	}
}
