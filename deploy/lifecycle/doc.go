// Package lifecycle holds no code, only tests of the trackerd package on a
// booted host: installed with apt, upgraded under a working session, removed
// and purged. `make test-host` builds the package and runs them.
package lifecycle
