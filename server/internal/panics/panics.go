// Package panics keeps a panic of one answer from ending all others.
package panics

import (
	"fmt"
	"runtime/debug"
)

// AsError returns do with its panics as errors. The server answers a panic of the goroutine that
// a request runs on; of any other it would end, so that what an answer does at once runs through
// here.
func AsError(do func() error) func() error {
	return func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return do()
	}
}
