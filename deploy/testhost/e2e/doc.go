// Package e2e holds only tests: of everything together, as it is installed. A
// trackerd-server with its PostgreSQL runs on the machine, the trackerd package
// is installed with apt on disposable xrdp hosts, people log in there over RDP
// and work, and the REST API must answer exactly what they did. One test has the
// server from its package, on a host with PostgreSQL. One goes on to the pages, in
// Chromium, as a manager and as one of those who worked; where the variable
// ACTIVITY_TRACKER_PAGES names a folder, it keeps a picture of each step there.
//
// The packages and the server come from dist/ and bin/ as `make` leaves them;
// ACTIVITY_TRACKER_DEB, ACTIVITY_TRACKER_SERVER_DEB and ACTIVITY_TRACKER_SERVER
// name others. Where they are missing, the tests have make build them.
package e2e
