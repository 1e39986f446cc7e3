// Package roster decides which sessions are measured, and under which
// machine_id: a pure state machine over logind's list of sessions.
package roster
