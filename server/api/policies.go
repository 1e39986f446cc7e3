package api

import "time"

// CodePolicyTooLarge is the code of a policy that has more than it may: rules, patterns,
// names or bytes.
const CodePolicyTooLarge Code = "policy_too_large"

// HostGroup is a group of hosts, which a policy can be for.
type HostGroup struct {
	Name string `json:"name"`
	// Hosts are host_ids.
	Hosts []string `json:"hosts"`
}

// HostGroupList answers GET /api/host-groups.
type HostGroupList struct {
	HostGroups []HostGroup `json:"host_groups"`
}

// HostGroupMembers is the body of PUT /api/host-groups/{host_group}.
type HostGroupMembers struct {
	Hosts []string `json:"hosts"`
}

// Receipt is the body of POST /api/receipts: a program of that account confirmed that
// the notice was read.
type Receipt struct {
	MachineID string `json:"machine_id"`
	// Notice is the version of the notice: the hash of its text.
	Notice string    `json:"notice"`
	ReadAt time.Time `json:"read_at"`
}

// ReceiptRow is a receipt as it is kept.
type ReceiptRow struct {
	MachineID  string    `json:"machine_id"`
	Hostname   string    `json:"hostname"`
	Username   string    `json:"username"`
	Notice     string    `json:"notice"`
	ReadAt     time.Time `json:"read_at"`
	ReceivedAt time.Time `json:"received_at"`
	// HostID is the host that sent it.
	HostID string `json:"host_id"`
}

// ReceiptList answers GET /api/receipts.
type ReceiptList struct {
	Receipts   []ReceiptRow `json:"receipts"`
	NextCursor string       `json:"next_cursor,omitempty"`
}
