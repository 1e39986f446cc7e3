// Package panics keeps a panic of one answer from ending all others.
package panics

import (
	"fmt"
	"runtime/debug"
)

// failure is a panic.
type failure string

func (e failure) Error() string { return string(e) }

// Decided makes it a db.Decision: the database is not its cause, and asking again is of no use.
func (failure) Decided() {}

// AsError returns do with its panics as errors. The server answers a panic of the goroutine that
// a request runs on; of any other it would end, so that what an answer does at once runs through
// here.
func AsError(do func() error) func() error {
	return func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = failure(fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			}
		}()
		return do()
	}
}
