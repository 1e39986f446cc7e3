package dossier

// Table is what an export has of a table.
type Table struct {
	// File is the file, without its ending, that has what is kept of the person there.
	File string
	// Nobody is why there is nothing to export, where File is empty.
	Nobody string
}

// The files of an export.
const (
	FilePerson       = "person"
	FileEvents       = "events"
	FileSums         = "sums"
	FileNotCollected = "not_collected"
	FileReceipts     = "receipts"
	FileScreenshots  = "screenshots"
	FileNotes        = "notes"
	FileAccess       = "access"
	FileChanges      = "changes"
	FilePolicy       = "policy"
	FileMonths       = "months"
)

// Tables returns every table that there is, without partitions. A test compares it with
// the schema: whoever adds a table decides here whether it holds something of somebody.
func Tables() map[string]Table {
	hosts := Table{Nobody: "about hosts and their secrets; what an account's host is stands with the account"}
	logins := Table{Nobody: "about people who log in, whoever they are among those who are measured"}
	erased := Table{Nobody: "about people of whom nothing can be read any more"}
	server := Table{Nobody: "about the server's own work"}
	return map[string]Table{
		"machine": {File: FilePerson}, "account": {File: FilePerson}, "person": {File: FilePerson}, "host": {File: FilePerson},
		"machine_group": {File: FilePerson}, "group_member": {File: FilePerson}, "group_person": {File: FilePerson},
		"app_user": {File: FilePerson}, "own_account": {File: FilePerson}, "self_link": {File: FilePerson}, "login_session": {File: FilePerson},
		"event": {File: FileEvents}, "event_hour": {File: FileEvents}, "title": {File: FileEvents}, "app": {File: FileEvents},
		"rollup": {File: FileSums}, "rollup_day": {File: FileSums},
		"not_collected": {File: FileNotCollected},
		"receipt":       {File: FileReceipts},
		"screenshot":    {File: FileScreenshots},
		"note":          {File: FileNotes},
		"access_log":    {File: FileAccess}, "access_set": {File: FileAccess}, "access_reader": {File: FileAccess},
		"audit_log": {File: FileChanges}, "audit_text": {File: FileChanges}, "rule_move": {File: FileChanges},
		"policy": {File: FilePolicy},
		"month":  {File: FileMonths}, "month_person": {File: FileMonths},

		"host_credential": hosts, "enrollment": hosts, "host_group": hosts, "host_group_member": hosts, "host_heartbeat": hosts,
		"api_token": logins, "api_token_group": logins, "app_user_group": logins, "invitation": logins,
		"recovery_code": logins, "sso_user": logins, "sso_attempt": logins,
		"erasure": erased, "erasure_machine": erased, "erasure_title": erased, "erasure_file": erased, "tombstone": erased, "tombstone_key": erased,
		"audit_head": server, "category_list": server, "dropped": server, "policy_state": server, "screenshot_folder": server, "schema_migration": server, "title_sweep": server, "upkeep": server,
	}
}
