package server

import (
	"sync"

	"moat/iam"
	"moat/iamapi"
	"moat/state"
)

// A known caller is what credentials were on some view, and what they may do.
// It holds for every view that has the same keys and the same IAM of the
// account, row for row, and for no other: so what one call took away is gone
// for the next.
type known struct {
	keys, account *state.Space

	principal iam.Principal
	policies  *iam.Index
	err       error // why the policies cannot be read
}

// holds reports whether what is known is true on a view.
func (k *known) holds(v *state.View) bool {
	return v.In(state.Scope{}).Same(k.keys, state.AccessKeys) &&
		v.In(state.Scope{Account: k.principal.Account}).Same(k.account, state.Users, state.UserGroups, state.Roles, state.ManagedPolicies)
}

// callerCache keeps who calls: to gather a user's policies costs more than to
// answer many a question.
type callerCache struct {
	mu    sync.RWMutex
	known map[callerKey]*known
}

// A callerKey is what a caller is known by.
type callerKey struct {
	accessKey, partition string
	session              *iam.Session
}

// maxCallers bounds what is kept.
const maxCallers = 4096

// who says who credentials make their holder on a view. The error says that
// they are nobody's.
func (c *callerCache) who(v *state.View, partition string, by iam.Credentials) (*known, error) {
	key := callerKey{by.AccessKeyID, partition, by.Session}
	c.mu.RLock()
	k := c.known[key]
	c.mu.RUnlock()
	if k != nil && k.holds(v) {
		return k, nil
	}
	at := iamapi.ViewPlace(v)
	p, err := iamapi.PrincipalOf(at, partition, by)
	if err != nil {
		return nil, err
	}
	k = &known{keys: v.In(state.Scope{}), account: v.In(state.Scope{Account: p.Account}), principal: p}
	policies, err := iamapi.PoliciesOf(at, &p)
	k.policies, k.err = iam.NewIndex(policies), err
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCallers {
		clear(c.known) // who calls comes back at once
	}
	c.known[key] = k
	return k, nil
}
