// Package e2e tests the packages on machines with a real seat: what QEMU's
// keyboard and mouse do must be what the server has of it, exactly.
package e2e
