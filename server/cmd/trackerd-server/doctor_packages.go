package main

import (
	"errors"

	"activity-tracker.example/server/internal/repository"
)

// checkPackages looks at what hosts install from this server, where it offers or is
// to offer that.
func (a *agentFlags) checkPackages(service bool) check {
	const name = "packages for hosts"
	r, err := a.repository(service)
	if err != nil {
		return check{name, verdictFail, err.Error(), "correct it"}
	}
	const put = "put there what 'make repository' leaves in dist/repository where packages are built"
	s := r.Examine()
	switch {
	case errors.Is(s.Err, repository.ErrPrivateKey):
		return check{
			name, verdictFail, s.Dir + ": " + s.Err.Error(),
			"take the folder away, and sign with another key: this one may be known",
		}
	case s.Writable:
		return check{name, verdictWarn, "the server may write " + s.Dir, "chown -R root: " + s.Dir}
	case a.baseURL != "" && s.Script == "":
		return check{name, verdictWarn, "there is no /install.sh: --base-url " + a.baseURL + " is not https", "name an address with TLS"}
	case s.Script != "" && s.Dir == "":
		return check{name, verdictWarn, "there is no " + s.Script + ": no folder of packages", "name one with --packages"}
	case s.Script != "" && s.Err != nil:
		return check{name, verdictWarn, "there is no " + s.Script + ": " + s.Err.Error(), put}
	case s.Dir == "", s.Empty():
		return ok(name, "none")
	case s.Err != nil:
		return check{name, verdictWarn, s.Err.Error(), put}
	case s.Script == "":
		return ok(name, "%d, signed by %s; no --base-url, so no /install.sh", s.Packages, s.Fingerprint)
	}
	return ok(name, "%d, signed by %s; %s", s.Packages, s.Fingerprint, s.Script)
}
