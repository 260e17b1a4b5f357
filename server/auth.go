package server

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"moat/iam"
	"moat/iamapi"
	"moat/seal"
	"moat/sigv4"
	"moat/state"
	"moat/vpc"
)

// authenticate finds out who makes the request, in which region, of which
// service. The error is a fault in the addressed service's words.
func (s *Server) authenticate(r *request) error {
	sig, err := sigv4.Parse(r.Request)
	if err != nil {
		return r.service.authFault(err)
	}
	switch svc := service(sig.Service); svc {
	case serviceEC2, serviceSTS, serviceIAM, serviceCloudTrail:
		if r.inJSON && svc != serviceCloudTrail {
			return r.service.authFault(&sigv4.Error{Kind: sigv4.WrongService, Detail: string(r.service)})
		}
		r.service = svc
	default:
		return r.service.authFault(&sigv4.Error{Kind: sigv4.WrongService, Detail: string(r.service)})
	}
	return s.identify(r, sig)
}

// identify finds out whose a signature is, and in which scope they call.
func (s *Server) identify(r *request, sig *sigv4.Signature) error {
	region := sig.Region
	if region == "" {
		// The AWS CLI signs so when its region is the empty string.
		region = s.cfg.Region
	}
	if !s.serves(region) {
		return r.service.authFault(&sigv4.Error{Kind: sigv4.WrongRegion, Detail: sig.Region})
	}
	r.region = region
	if s.cfg.AnyAuth {
		if err := s.guardBrowser(r); err != nil {
			return err
		}
		account := s.cfg.Account
		if isAccount(sig.AccessKeyID) {
			account = vpc.AccountID(sig.AccessKeyID)
		}
		r.caller = iam.Root(account, vpc.Partition(region), sig.AccessKeyID)
	} else if err := s.verify(r, sig); err != nil {
		s.cfg.Logger.Debug("a signature is refused", "request", r.id, "source", r.source, "err", err)
		return r.service.authFault(err)
	}
	if !r.caller.IsRoot() && vpc.Partition(region) != vpc.Partition(s.cfg.Region) {
		// As on AWS, where credentials are of one partition. Policies name things
		// by ARNs of it: signed for another, a call would be of things that no
		// Deny speaks of.
		return r.service.authFault(&sigv4.Error{Kind: sigv4.UnknownKey})
	}
	r.scope = state.Scope{Region: region, Account: r.caller.Account}
	if r.service == serviceIAM {
		r.scope = r.scope.AccountScope()
		if session := r.caller.Session; session != nil && session.Role == "" {
			// As on AWS, of which a second factor is asked, and there is none here:
			// API reference of STS, GetSessionToken.
			return r.service.authFault(&sigv4.Error{Kind: sigv4.UnknownKey})
		}
	}
	return nil
}

// verify checks a signature against the key that it names, or against the
// session of its token, and finds out whose they are.
func (s *Server) verify(r *request, sig *sigv4.Signature) error {
	r.seen = s.store.Latest()
	key := state.AccessKeys.Get(r.seen.In(state.Scope{}), sig.AccessKeyID)
	credentials := iam.Credentials{AccessKeyID: sig.AccessKeyID}
	var err error
	var signing [32]byte
	switch {
	case sig.SessionToken != "":
		if credentials.Session, err = s.sessions.open(s.cfg.Secrets, sig.SessionToken); err != nil || credentials.Session.AccessKeyID != sig.AccessKeyID {
			return s.unknown(r, sig, sigv4.BadToken)
		}
		if !r.began.Before(credentials.Session.Expires) {
			return s.unknown(r, sig, sigv4.TokenExpired)
		}
		signing = s.keys.get(sig.Credential, credentials.Session.Secret)
	case key == nil || key.Inactive:
		return s.unknown(r, sig, sigv4.UnknownKey)
	case key.Sealed == nil: // it was stored by an older moat and is sealed soon, or a test made it
		signing = s.keys.get(sig.Credential, key.Secret)
	default:
		if signing, err = s.keys.open(sig.Credential, key.Sealed, s.cfg.Secrets); err != nil {
			// Only a server that was started with another key gets here, and
			// such a one does not start.
			s.cfg.Logger.Error("the secret of an access key cannot be opened", "request", r.id, "err", err)
			return &sigv4.Error{Kind: sigv4.UnknownKey}
		}
	}
	if err := sig.CheckTime(r.began); err != nil {
		return err
	}
	if err := sig.Verify(r.Request, r.hash, signing, r.TLS != nil); err != nil {
		return err
	}
	if r.who, err = s.callers.who(r.seen, vpc.Partition(r.region), credentials); err != nil {
		return &sigv4.Error{Kind: sigv4.UnknownKey}
	}
	r.caller, r.credentials = r.who.principal, credentials
	s.uses.saw(&r.caller, r.began, string(r.service), r.region)
	return nil
}

// unknown refuses credentials that are nobody's, after as much work as a
// signature that is checked costs: the time of a refusal must not tell which
// keys there are.
func (s *Server) unknown(r *request, sig *sigv4.Signature, kind sigv4.Kind) error {
	nobody := sig.Credential
	nobody.AccessKeyID = "nobody"
	signing := s.keys.get(nobody, "no secret")
	if err := sig.CheckTime(r.began); err == nil {
		_ = sig.Verify(r.Request, r.hash, signing, r.TLS != nil)
	}
	return &sigv4.Error{Kind: kind}
}

// again finds out on a newer view who makes the request: the key may be gone,
// or be inactive, since it was looked at. So what one server answered to
// UpdateAccessKey holds for the next call at any other.
func (s *Server) again(r *request, at iamapi.Place) (iam.Principal, error) {
	if r.credentials.AccessKeyID == "" {
		return r.caller, nil // any credential is taken
	}
	p, err := iamapi.PrincipalOf(at, vpc.Partition(r.region), r.credentials)
	if err != nil {
		return p, r.service.authFault(&sigv4.Error{Kind: sigv4.UnknownKey})
	}
	return p, nil
}

// identifyAgain is again on a newer view that is to be read.
func (s *Server) identifyAgain(r *request, v *state.View) (err error) {
	if r.credentials.AccessKeyID == "" {
		return nil // any credential is taken
	}
	if r.who, err = s.callers.who(v, vpc.Partition(r.region), r.credentials); err != nil {
		return r.service.authFault(&sigv4.Error{Kind: sigv4.UnknownKey})
	}
	r.caller = r.who.principal
	return nil
}

// serves reports whether a region is served.
func (s *Server) serves(region string) bool {
	if region == s.cfg.Region {
		return true
	}
	if s.cfg.Regions != nil {
		return slices.Contains(s.cfg.Regions, region)
	}
	return vpc.KnownRegion(region)
}

func isAccount(key string) bool {
	if len(key) != 12 {
		return false
	}
	for i := range len(key) {
		if key[i] < '0' || key[i] > '9' {
			return false
		}
	}
	return true
}

// derivation is what a signing key depends on: the scope of a signature, and
// the secret or, of a stored one, its sealed form.
type derivation struct {
	sigv4.Credential
	secret string
}

// keyCache keeps derived signing keys: to open a secret and to derive a key
// from it costs several times what checking a signature does.
type keyCache struct {
	mu      sync.RWMutex
	derived map[derivation][32]byte
}

func (c *keyCache) get(cred sigv4.Credential, secret string) [32]byte {
	k, _ := c.find(derivation{cred, secret}, func() (string, error) { return secret, nil })
	return k
}

// open is get for a sealed secret.
func (c *keyCache) open(cred sigv4.Credential, sealed []byte, ring *seal.Ring) ([32]byte, error) {
	return c.find(derivation{cred, string(sealed)}, func() (string, error) {
		secret, err := ring.Open(seal.AccessKey, cred.AccessKeyID, sealed)
		return string(secret), err
	})
}

func (c *keyCache) find(d derivation, secret func() (string, error)) ([32]byte, error) {
	c.mu.RLock()
	k, ok := c.derived[d]
	c.mu.RUnlock()
	if ok {
		return k, nil
	}
	opened, err := secret()
	if err != nil {
		return k, err
	}
	k = sigv4.DeriveKey(opened, d.Date, d.Region, d.Service)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.derived) >= 4096 {
		clear(c.derived) // dates pass; what is in use comes back at once
	}
	c.derived[d] = k
	return k, nil
}

// sessionCache keeps the sessions of tokens that were opened, under a hash of
// the token.
type sessionCache struct {
	mu     sync.RWMutex
	opened map[[32]byte]*iam.Session
}

var errToken = errors.New("the session token is none of ours")

func (c *sessionCache) open(ring *seal.Ring, token string) (*iam.Session, error) {
	hash := sha256.Sum256([]byte(token))
	c.mu.RLock()
	session := c.opened[hash]
	c.mu.RUnlock()
	if session != nil {
		return session, nil
	}
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return nil, errToken
	}
	b, err := ring.Open(seal.SessionToken, "", sealed)
	if err != nil {
		return nil, errToken
	}
	session = new(iam.Session)
	if err := cbor.Unmarshal(b, session); err != nil {
		return nil, errToken
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.opened) >= 4096 {
		clear(c.opened)
	}
	c.opened[hash] = session
	return session, nil
}
