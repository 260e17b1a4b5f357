package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"

	"moat/iam"
	"moat/iamapi"
	"moat/seal"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// unforetold gives random numbers that are good enough for secrets.
func unforetold() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

func newSalt() (salt [seal.SaltSize]byte) {
	rand.Read(salt[:])
	return salt
}

// newRing gives a ring that nobody knows: what it seals is lost with the
// process.
func newRing() *seal.Ring {
	var k [seal.KeySize]byte
	rand.Read(k[:])
	return seal.NewRing(k)
}

// sealSecret encrypts the secret of an access key.
func (s *Server) sealSecret(keyID, secret string) []byte {
	return s.cfg.Secrets.Seal(seal.AccessKey, keyID, newSalt(), []byte(secret))
}

// token seals a session into the token of its credentials.
func (s *Server) token(session *iam.Session) string {
	b, err := cbor.Marshal(session)
	if err != nil {
		panic(fmt.Sprintf("server: a session cannot be encoded: %v", err))
	}
	return base64.StdEncoding.EncodeToString(s.cfg.Secrets.Seal(seal.SessionToken, "", newSalt(), b))
}

// sealMessage encodes an authorization message, for principals of an account
// to have decoded; openMessage decodes it.
func (s *Server) sealMessage(account vpc.AccountID, message []byte) string {
	return base64.RawURLEncoding.EncodeToString(s.cfg.Secrets.Seal(seal.Message, string(account), newSalt(), message))
}

func (s *Server) openMessage(account vpc.AccountID, encoded string) (message string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(encoded))
	if err == nil {
		b, err = s.cfg.Secrets.Open(seal.Message, string(account), b)
	}
	return string(b), err == nil
}

// A LostSecretsError says that secrets were sealed with a key that the server
// was not given.
type LostSecretsError struct {
	Has, Wants string // the ids of keys
	Keys       []string
}

func (e *LostSecretsError) Error() string {
	return fmt.Sprintf("the secrets of %d access keys in the database (%s) were encrypted with the key %s, and this server has %s: "+
		"give it the right one with --secret-key-file, or, if that is lost, delete these access keys with --discard-secrets",
		len(e.Keys), strings.Join(e.Keys[:min(3, len(e.Keys))], ", "), e.Wants, e.Has)
}

// HasSecrets reports whether a view has secrets that are sealed.
func HasSecrets(v *state.View) bool {
	for k := range state.AccessKeys.All(v.In(state.Scope{})) {
		if k.Sealed != nil {
			return true
		}
	}
	return false
}

// CheckSecrets tries every secret that is stored. The error is a
// *LostSecretsError if one cannot be opened.
func (s *Server) CheckSecrets() error {
	lost := &LostSecretsError{Has: s.cfg.Secrets.ID(), Wants: "of another server"}
	for k := range state.AccessKeys.All(s.store.Latest().In(state.Scope{})) {
		if k.Sealed == nil {
			continue
		}
		if _, err := s.cfg.Secrets.Open(seal.AccessKey, k.ID, k.Sealed); err != nil {
			var unknown *seal.UnknownKeyError
			if errors.As(err, &unknown) {
				lost.Wants = unknown.ID
			}
			lost.Keys = append(lost.Keys, k.ID)
		}
	}
	if lost.Keys != nil {
		return lost
	}
	return nil
}

// SealSecrets encrypts what an older moat stored as it was, and anew what was
// encrypted with a key that is not the ring's first any more. History gets
// none of what was there before.
func (s *Server) SealSecrets(ctx context.Context) error {
	return s.rewriteKeys(ctx, "EncryptSecrets", func(tx *state.Txn, k *iam.AccessKey) {
		secret := k.Secret
		switch {
		case k.Sealed == nil && secret != "":
		case k.Sealed != nil && !s.cfg.Secrets.Current(k.Sealed):
			b, err := s.cfg.Secrets.Open(seal.AccessKey, k.ID, k.Sealed)
			if err != nil {
				return
			}
			secret = string(b)
		default:
			return
		}
		c := *k
		c.Secret, c.Sealed = "", tx.Seal(k.ID, secret)
		state.AccessKeys.Put(tx, &c)
	})
}

// DiscardSecrets deletes the access keys whose secrets cannot be opened, for
// an operator who lost the key.
func (s *Server) DiscardSecrets(ctx context.Context) error {
	return s.rewriteKeys(ctx, "DiscardSecrets", func(tx *state.Txn, k *iam.AccessKey) {
		if k.Sealed == nil {
			return
		}
		if _, err := s.cfg.Secrets.Open(seal.AccessKey, k.ID, k.Sealed); err != nil {
			s.cfg.Logger.Warn("an access key is deleted, for its secret cannot be opened", "key", k.ID)
			state.AccessKeys.Delete(tx, k.ID)
			state.KeyUses.Delete(tx, k.ID)
		}
	})
}

// rewriteKeys changes access keys, a bounded number in one write.
func (s *Server) rewriteKeys(ctx context.Context, action string, change func(*state.Txn, *iam.AccessKey)) error {
	for after := ""; ; {
		write := s.ownWrite(state.Scope{}, action, func(tx *state.Txn) (any, error) {
			next, n := "", 0
			for k := range state.AccessKeys.From(tx, after) {
				if n++; n > 32 {
					next = k.ID
					break
				}
				change(tx, k)
			}
			return next, nil
		})
		write.Forget = true
		out, _, err := s.store.Write(ctx, write)
		if err != nil {
			return err
		}
		if after = out.(string); after == "" {
			return nil
		}
	}
}

// ownWrite is a write of the server itself.
func (s *Server) ownWrite(scope state.Scope, action string, plan func(*state.Txn) (any, error)) *store.Write {
	root := iam.Root(s.cfg.Account, vpc.Partition(s.cfg.Region), "")
	return &store.Write{
		Call:  state.Call{Scope: scope, Caller: root, Now: s.cfg.Now(), Quotas: s.cfg.Quotas, Random: unforetold, Seal: s.sealSecret},
		Plan:  plan,
		Event: store.Event{Service: ServiceMoat, Action: action, Principal: root.ARN},
	}
}

// RootKey gives an active access key of the default account's root, made when
// there is none.
func (s *Server) RootKey(ctx context.Context) (id, secret string, err error) {
	out, _, err := s.store.Write(ctx, s.ownWrite(state.Scope{}, "CreateRootKey", func(tx *state.Txn) (any, error) {
		for k := range state.AccessKeys.By(tx, state.AccessKeysByUser, string(s.cfg.Account)) {
			if k.User == "" && !k.Inactive {
				return k, nil
			}
		}
		id, secret := iamapi.NewAccessKey("AKIA", tx.Random)
		k := &iam.AccessKey{ID: id, Sealed: tx.Seal(id, secret), Account: s.cfg.Account, Created: tx.Now.UTC().Truncate(time.Second)}
		state.AccessKeys.Put(tx, k)
		return k, nil
	}))
	if err != nil {
		return "", "", err
	}
	k := out.(*iam.AccessKey)
	if k.Sealed == nil {
		return k.ID, k.Secret, nil
	}
	b, err := s.cfg.Secrets.Open(seal.AccessKey, k.ID, k.Sealed)
	if err != nil {
		return "", "", fmt.Errorf("the secret of the root key %s cannot be opened: %w", k.ID, err)
	}
	return k.ID, string(b), nil
}

// keyUses remembers when keys and roles were used last, until it is stored:
// not a write for each call.
type keyUses struct {
	mu   sync.RWMutex
	seen map[string]*iam.KeyUse
}

// storeUseAfter is how much later than the stored one a use is that is stored
// again: AWS tells the last use as coarsely.
const storeUseAfter = 15 * time.Minute

// saw notes that a principal called.
func (u *keyUses) saw(p *iam.Principal, at time.Time, service, region string) {
	id := p.AccessKeyID
	if p.Session != nil {
		if id = p.Session.Role; id == "" {
			return // the session of a user uses no key that is listed
		}
	}
	u.mu.RLock()
	old := u.seen[id]
	u.mu.RUnlock()
	if old != nil && at.Sub(old.At) < time.Second && old.Service == service && old.Region == region {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen[id] = &iam.KeyUse{ID: id, At: at.UTC().Truncate(time.Second), Service: service, Region: region}
}

func (u *keyUses) of(id string) *iam.KeyUse {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.seen[id]
}

// due gives the uses that are so much later than the stored ones, and forgets
// those that are stored.
func (u *keyUses) due(stored *state.Space, after time.Duration) (due []*iam.KeyUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, use := range u.seen {
		old := state.KeyUses.Get(stored, id)
		switch {
		case old == nil || use.At.Sub(old.At) >= after:
			due = append(due, use)
		case !use.At.After(old.At):
			delete(u.seen, id)
		}
	}
	return due
}

// StoreKeyUses stores when keys and roles were used last, as far as it was not
// stored a short while ago; a server that stops stores them all.
func (s *Server) StoreKeyUses(ctx context.Context, stopping bool) error {
	after := storeUseAfter
	if stopping {
		after = time.Second
	}
	due := s.uses.due(s.store.Latest().In(state.Scope{}), after)
	for len(due) > 0 {
		part := due[:min(32, len(due))]
		due = due[len(part):]
		_, _, err := s.store.Write(ctx, s.ownWrite(state.Scope{}, "RecordKeyUse", func(tx *state.Txn) (any, error) {
			for _, use := range part {
				if old := state.KeyUses.Get(tx, use.ID); old != nil && use.At.Sub(old.At) < after {
					continue // another server was faster
				}
				if state.AccessKeys.Get(tx, use.ID) != nil || strings.HasPrefix(use.ID, "AROA") {
					state.KeyUses.Put(tx, use)
				}
			}
			return nil, nil
		}))
		if err != nil {
			return err
		}
	}
	return nil
}
