// Package helper runs one sandboxed sessiond per tracked session: it starts
// the unit, reads its socket, and starts it again when it dies.
package helper
