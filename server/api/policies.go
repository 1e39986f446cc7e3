package api

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
