// Package house holds no code, only tests of the whole repository's shape:
// which package may import which, that each states what it is for, that each module
// builds without the others' workspace, how large packages are, and how migrations are
// numbered.
package house
