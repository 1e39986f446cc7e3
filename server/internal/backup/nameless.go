package backup

import (
	"errors"
	"fmt"
	"os"
)

// Nameless makes a temporary file that is gone when nobody has it open any more, even
// if this process is killed.
func Nameless() (*os.File, error) {
	f, err := os.CreateTemp("", "trackerd-server-restore-*")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("taking the name from a temporary file: %w", err), f.Close())
	}
	return f, nil
}

// handed is the name under which a program finds the i-th of its ExtraFiles, whether
// or not that has a name elsewhere. Opened by it, a file is read from its beginning.
func handed(i int) string {
	const afterStandardError = 3
	return fmt.Sprintf("/proc/self/fd/%d", afterStandardError+i)
}
