package sso

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"net/url"

	"activity-tracker.example/server/internal/secret"
)

// maxTokenBytes is how long an ID token may be to be kept: it goes into a URL later.
const maxTokenBytes = 6 << 10

// sealPurpose is what the key is made for that encrypts ID tokens.
const sealPurpose = "sso logout"

// Seal encrypts an ID token with what only the browser of that login has; nil where it
// is too long to be of use. A copy of the database tells nobody's name by it.
func Seal(login secret.Credential, token string) []byte {
	aead, err := sealing(login)
	if err != nil || len(token) > maxTokenBytes {
		return nil
	}
	return aead.Seal(nil, nil, []byte(token), nil) //nolint:gosec // This cipher draws its nonces itself.
}

func sealing(login secret.Credential) (cipher.AEAD, error) {
	block, err := aes.NewCipher(login.Derive(sealPurpose))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// LogoutURL returns where a browser logs out at the provider, by what Seal made; empty
// where the provider has no such place, or does not answer.
func (p *Provider) LogoutURL(ctx context.Context, login secret.Credential, sealed []byte) string {
	f, err := p.find(ctx)
	if err != nil || f.logout == "" {
		return ""
	}
	u, err := url.Parse(f.logout)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", p.ClientID)
	q.Set("post_logout_redirect_uri", p.BaseURL+"/")
	if aead, err := sealing(login); err == nil {
		if token, err := aead.Open(nil, nil, sealed, nil); err == nil && len(token) > 0 {
			q.Set("id_token_hint", string(token))
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}
