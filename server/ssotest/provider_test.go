package ssotest

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	clientID     = "tracker"
	clientSecret = "the client's secret"
	password     = "at the provider"
)

// provider is a real one, zitadel's example, with people and groups of ours, and a way to
// have it lie.
type provider struct {
	*storage.Storage
	t      *testing.T
	server *httptest.Server
	// base is our server's URL.
	base string
	real atomic.Pointer[http.Handler]

	mu     sync.Mutex
	users  map[string]*storage.User
	groups map[string][]string
	// lie changes what the token endpoint answers, and about what a user is told; nil:
	// nothing.
	lie     func(*reply)
	infoLie func(map[string]any)
	// broken answers in its place; nil: nothing does.
	broken http.HandlerFunc
	asked  []string
}

// newProvider starts one that is down until begin.
func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t, users: map[string]*storage.User{}, groups: map[string][]string{}}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	return p
}

// begin has it answer from now on, and know our server.
func (p *provider) begin(base string) {
	p.t.Helper()
	p.base = base
	p.Storage = storage.NewStorageWithClients(p, map[string]*storage.Client{
		clientID: storage.WebClient(clientID, clientSecret, base+"/login/sso/callback"),
	})
	var h http.Handler = exampleop.SetupServer(p.server.URL, p, nil, false)
	p.real.Store(&h)
}

// user makes or changes a person at the provider.
func (p *provider) user(id, name, email string, groups ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[id] = &storage.User{ID: id, Username: name, Password: password, Email: email, EmailVerified: true, FirstName: "Anna", LastName: "Berg"}
	p.groups[id] = groups
}

// GetUserByID and the next two are storage.UserStore.
func (p *provider) GetUserByID(id string) *storage.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.users[id]
}

func (p *provider) GetUserByUsername(name string) *storage.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.users {
		if u.Username == name {
			return u
		}
	}
	return nil
}

func (*provider) ExampleClientID() string { return "service" }

// GetClientByClientID lets our server have browsers back when they have logged out.
func (p *provider) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := p.Storage.GetClientByClientID(ctx, id)
	return client{c, p.base}, err
}

type client struct {
	op.Client
	base string
}

func (c client) PostLogoutRedirectURIs() []string { return []string{c.base + "/"} }

// SetUserinfoFromRequest puts groups into the ID token.
func (p *provider) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	err := p.Storage.SetUserinfoFromRequest(ctx, info, token, scopes)
	p.addGroups(info, token.GetSubject())
	return err
}

// SetUserinfoFromToken tells groups to who asks about a user.
func (p *provider) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	err := p.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin)
	p.addGroups(info, subject)
	return err
}

func (p *provider) addGroups(info *oidc.UserInfo, subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if groups := p.groups[subject]; groups != nil {
		info.AppendClaims("groups", groups)
	}
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	lie, infoLie, broken := p.lie, p.infoLie, p.broken
	p.asked = append(p.asked, r.URL.Path)
	p.mu.Unlock()
	h := p.real.Load()
	switch {
	case broken != nil:
		broken(w, r)
	case h == nil:
		http.Error(w, "down", http.StatusBadGateway)
	case lie != nil && r.URL.Path == "/oauth/token":
		p.change(w, r, *h, func(body map[string]any) {
			token, _ := body["id_token"].(string)
			body["id_token"] = p.resign(token, lie)
		})
	case infoLie != nil && r.URL.Path == "/userinfo":
		p.change(w, r, *h, infoLie)
	default:
		(*h).ServeHTTP(w, r)
	}
}

// change has the real provider answer and changes that.
func (p *provider) change(w http.ResponseWriter, r *http.Request, h http.Handler, change func(map[string]any)) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	var body map[string]any
	if rec.Code != http.StatusOK || json.Unmarshal(rec.Body.Bytes(), &body) != nil {
		p.t.Errorf("%s: the real provider answers %d %s", r.URL.Path, rec.Code, rec.Body)
	}
	change(body)
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		p.t.Error(err)
	}
}

// reply is an ID token before it is signed.
type reply struct {
	claims map[string]any
	// key signs it by alg and is called kid.
	key any
	kid string
	alg jose.SignatureAlgorithm
	// raw is what comes in its place, made of the honest token; nil: nothing.
	raw func(honest string) string
}

func (p *provider) signing() (key crypto.Signer, kid string) {
	k, err := p.SigningKey(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	signer, ok := k.Key().(crypto.Signer)
	if !ok {
		p.t.Fatal("no key")
	}
	return signer, k.ID()
}

// resign signs a token again whose claims, key or whole the lie has changed.
func (p *provider) resign(token string, lie func(*reply)) string {
	key, kid := p.signing()
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		p.t.Errorf("the real token: %v", err)
		return ""
	}
	said := &reply{key: key, kid: kid, alg: jose.RS256}
	d := json.NewDecoder(bytes.NewReader(parsed.UnsafePayloadWithoutVerification()))
	d.UseNumber()
	if err := d.Decode(&said.claims); err != nil {
		p.t.Error(err)
	}
	lie(said)
	if said.raw != nil {
		return said.raw(token)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: said.alg, Key: said.key}, (&jose.SignerOptions{}).WithHeader("kid", said.kid))
	if err != nil {
		p.t.Errorf("signing a lie: %v", err)
		return ""
	}
	text, err := json.Marshal(said.claims)
	if err != nil {
		p.t.Error(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		p.t.Error(err)
	}
	return compact
}

// lies sets what it lies; nil: nothing more.
func (p *provider) lies(lie func(*reply)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lie = lie
}

func (p *provider) breaks(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = h
}

// count returns how often a path was asked for.
func (p *provider) count(path string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, asked := range p.asked {
		if asked == path {
			n++
		}
	}
	return n
}

// body reads an answer whole.
func body(t *testing.T, res *http.Response) string {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
