package policy

import (
	"encoding/json"
	"time"
)

// Info is when a version was written and by whom, for those who administer policy.
type Info struct {
	Version   int64     `json:"version"`
	HostGroup *string   `json:"host_group"`
	ValidFrom time.Time `json:"valid_from"`
	CreatedAt time.Time `json:"created_at"`
	// Author is "user ID", "token ID" or "command by uid N".
	Author string `json:"author"`
	// InForce means that its moment has come, and no later version's has.
	InForce bool `json:"in_force"`
}

// Written is a version with its policy.
type Written struct {
	Info

	Policy Document `json:"policy"`
}

// InfoList answers GET /api/policies, the newest first.
type InfoList struct {
	Policies []Info `json:"policies"`
	// NextCursor asks for the versions before these.
	NextCursor string `json:"next_cursor,omitempty"`
}

// Draft is the body of PUT /api/policies.
type Draft struct {
	// HostGroup is nil for all hosts.
	HostGroup *string `json:"host_group"`
	// ValidFrom is the moment from which on it holds; nil is now.
	ValidFrom *time.Time `json:"valid_from"`
	// Policy is a Document, which Parse reads.
	Policy json.RawMessage `json:"policy"`
}
