package server

import (
	"slices"

	"moat/iam"
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
	case serviceEC2, serviceSTS, serviceIAM:
		r.service = svc
	default:
		return r.service.authFault(&sigv4.Error{Kind: sigv4.WrongService, Detail: string(r.service)})
	}
	region := sig.Region
	if region == "" {
		// The AWS CLI signs so when its region is the empty string.
		region = s.cfg.Region
	}
	if !s.serves(region) {
		return r.service.authFault(&sigv4.Error{Kind: sigv4.WrongRegion, Detail: sig.Region})
	}
	account := s.cfg.Account
	if s.cfg.AnyAuth {
		// Every credential is good here, so a web page that the operator looks
		// at could call too. Browsers say where a request comes from, clients
		// of the API never do.
		if r.Header.Get("Origin") != "" {
			return r.service.authFault(&sigv4.Error{Kind: sigv4.UnknownKey})
		}
		if isAccount(sig.AccessKeyID) {
			account = vpc.AccountID(sig.AccessKeyID)
		}
	} else {
		key, err := s.verify(r, sig)
		if err != nil {
			s.cfg.Logger.Debug("a signature is refused", "request", r.id, "source", r.source, "err", err)
			return r.service.authFault(err)
		}
		account = key.Account
	}
	r.scope = state.Scope{Region: region, Account: account}
	r.caller = iam.Root(account, vpc.Partition(region), sig.AccessKeyID)
	return nil
}

// verify checks a signature against the key that it names.
func (s *Server) verify(r *request, sig *sigv4.Signature) (*iam.AccessKey, error) {
	key := state.AccessKeys.Get(s.store.Latest().In(state.Scope{}), sig.AccessKeyID)
	if key == nil {
		return nil, &sigv4.Error{Kind: sigv4.UnknownKey}
	}
	if sig.SessionToken != "" {
		// Only temporary keys have tokens, and none is handed out.
		return nil, &sigv4.Error{Kind: sigv4.BadToken}
	}
	if err := sig.CheckTime(r.began); err != nil {
		return nil, err
	}
	return key, sig.Verify(r.Request, r.hash, s.keys.get(sig.Credential, key.Secret), r.TLS != nil)
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
