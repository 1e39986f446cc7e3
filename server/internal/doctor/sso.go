package doctor

import (
	"errors"

	"activity-tracker.example/server/api"
)

// SingleSignOn is what was found of the provider of single sign-on.
type SingleSignOn struct {
	// Issuer is how it is named in the settings.
	Issuer string
	// Only means that there is no other way to log in.
	Only bool
	// Settings is what is wrong with these; then it was not asked.
	Settings error
	// Err is why it does not answer as it should, Keys how many keys it may sign with.
	Err  error
	Keys int
}

// Check checks it.
func (s *SingleSignOn) Check() api.Check {
	const name, look = "single sign-on", "see that this machine reaches it, and that --sso-issuer is exactly as it names itself in ISSUER/.well-known/openid-configuration"
	err := s.Err
	switch {
	case s.Settings != nil:
		return failed(name, s.Settings.Error(), "a server does not start so: man trackerd-server.env")
	case err == nil && s.Keys == 0:
		err = errors.New("the provider has no key that it could sign with")
	case err == nil:
		return ok(name, "%s answers, keys: %d", s.Issuer, s.Keys)
	}
	if s.Only {
		return failed(name, err.Error(), "nobody can log in; "+look)
	}
	return warning(name, err.Error(), look)
}
