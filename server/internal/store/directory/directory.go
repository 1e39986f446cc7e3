// Package directory keeps who and what there is beside events: machines and their
// groups, hosts and their enrolment, API tokens, and the list of categories.
package directory

import "activity-tracker.example/server/internal/store/db"

// hostsKnown is how many hosts' credentials are remembered: some 10 MB when full.
const hostsKnown = 50_000

// Directory is that of one database.
type Directory struct {
	db *db.DB
	// hosts are those whose credentials were looked up, by the credential's id.
	hosts *db.Cache[string, knownHost]
}

// New returns the directory of a database.
func New(d *db.DB) *Directory {
	dir := &Directory{db: d, hosts: db.NewCache[string, knownHost](hostsKnown)}
	d.OnReplaced(dir.ForgetHosts)
	return dir
}

// ForgetHosts forgets all credentials that were looked up: one was revoked, or the
// database is another one.
func (d *Directory) ForgetHosts() { d.hosts.Forget() }
