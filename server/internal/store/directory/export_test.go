package directory

// For tests.
const (
	GroupMachinesSQL = groupMachinesSQL
	MachinesSQL      = machinesSQL
	MaxMembership    = maxMembership
)
const MembershipSQL = membershipSQL
