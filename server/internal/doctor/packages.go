package doctor

import (
	"errors"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/repository"
)

// packagesName is what the check of the packages for hosts is called.
const packagesName = "packages for hosts"

// PackagesAddress is the check of a server whose address for hosts is wrong.
func PackagesAddress(err error) api.Check {
	return failed(packagesName, err.Error(),
		"correct it")
}

// Packages checks what hosts install from this server, where it offers or is to offer
// that.
func Packages(s repository.State, baseURL string) api.Check {
	const name = packagesName
	const put = "put there what 'make repository' leaves in dist/repository where packages are built"
	switch {
	case errors.Is(s.Err, repository.ErrPrivateKey):
		return failed(name, s.Dir+": "+s.Err.Error(),
			"take the folder away, and sign with another key: this one may be known")
	case s.Writable:
		return warning(name, "the server may write "+s.Dir, "chown -R root: "+s.Dir)
	case baseURL != "" && s.Script == "":
		return warning(name, "there is no /install.sh: --base-url "+baseURL+" is not https", "name an address with TLS")
	case s.Script != "" && s.Dir == "":
		return warning(name, "there is no "+s.Script+": no folder of packages", "name one with --packages")
	case s.Script != "" && s.Err != nil:
		return warning(name, "there is no "+s.Script+": "+s.Err.Error(), put)
	case s.Dir == "", s.Empty():
		return ok(name, "none")
	case s.Err != nil:
		return warning(name, s.Err.Error(), put)
	case s.Script == "":
		return ok(name, "%d, signed by %s; no --base-url, so no /install.sh", s.Packages, s.Fingerprint)
	}
	return ok(name, "%d, signed by %s; %s", s.Packages, s.Fingerprint, s.Script)
}
