// Package roster decides which sessions are measured, by which sources, and
// under which machine_id: a pure state machine over logind's list of sessions
// and the list of X displays.
package roster
