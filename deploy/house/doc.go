// Package house holds no code, only tests of the whole repository's shape:
// which package may import which, that each states what it is for, that each module
// builds without the others' workspace, how large packages and designs are, how
// migrations are numbered, and which exit codes there are.
package house
