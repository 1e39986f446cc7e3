package directory

// For tests.
const GroupMachinesSQL = groupMachinesSQL
const MachinesSQL = machinesSQL
const MaxMembership = maxMembership
const MembershipSQL = membershipSQL
