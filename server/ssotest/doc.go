// Package ssotest holds single sign-on against a real OpenID provider, and against one
// that lies. It is a module of its own, so that no program of ours gets that provider's
// dependencies.
package ssotest
