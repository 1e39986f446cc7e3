package sso

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// Examine asks the provider who it is and which keys it has, and returns how many of those
// it may sign with; or ErrDown. Nothing is remembered.
func (p *Provider) Examine(ctx context.Context) (keys int, err error) {
	f, err := p.ask(ctx)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.keys, nil)
	if err != nil {
		return 0, down("its keys", err)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return 0, down("its keys", err)
	}
	defer func() { _ = res.Body.Close() }() // only read
	if res.StatusCode != http.StatusOK {
		return 0, down("its keys", errors.New(res.Status))
	}
	var set struct {
		Keys []struct {
			Use  string `json:"use"`
			Type string `json:"kty"`
		} `json:"keys"`
	}
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
		return 0, down("its keys", err)
	}
	for _, k := range set.Keys {
		// One with a secret would be known to whoever reads it.
		if k.Use != "enc" && (k.Type == "RSA" || k.Type == "EC" || k.Type == "OKP") {
			keys++
		}
	}
	return keys, nil
}
