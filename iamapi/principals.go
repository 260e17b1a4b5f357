package iamapi

import (
	"errors"
	"slices"
	"strings"

	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// A Place gives what a scope holds: a view's In, or a transaction's.
type Place func(state.Scope) state.Reader

// ViewPlace looks into a view.
func ViewPlace(v *state.View) Place { return func(s state.Scope) state.Reader { return v.In(s) } }

// TxnPlace looks into a transaction, at what it has staged too.
func TxnPlace(tx *state.Txn) Place { return func(s state.Scope) state.Reader { return tx.In(s) } }

// ErrNobody says that credentials are no principal's any more: the key was
// deleted or made inactive, or the user or role is gone.
var ErrNobody = errors.New("the credentials are nobody's")

// PrincipalOf says who credentials make their holder. A session ends with the
// lasting key that began it, and with its user or role.
func PrincipalOf(at Place, partition string, c iam.Credentials) (iam.Principal, error) {
	s := c.Session
	id := c.AccessKeyID
	if s != nil {
		id = s.Key
	}
	var key *iam.AccessKey
	if id != "" {
		key = state.AccessKeys.Get(at(state.Scope{}), id)
		if key == nil || key.Inactive {
			return iam.Principal{}, ErrNobody
		}
	}
	if s == nil {
		if key == nil {
			return iam.Principal{}, ErrNobody
		}
		return holderOf(at, partition, key.Account, key.User, id)
	}
	if s.Role == "" {
		p, err := holderOf(at, partition, s.Account, s.User, c.AccessKeyID)
		p.Session, p.Issued = s, s.Issued
		return p, err
	}
	role := state.Roles.First(at(state.Scope{Account: s.Account}), state.RolesByID, s.Role)
	if role == nil {
		return iam.Principal{}, ErrNobody
	}
	return iam.Principal{
		Account: s.Account, Type: iam.TypeSession, ID: role.ID + ":" + s.Name, AccessKeyID: c.AccessKeyID,
		ARN:  "arn:" + partition + ":sts::" + string(s.Account) + ":assumed-role/" + role.Name + "/" + s.Name,
		Role: iam.ARN(partition, s.Account, "role", role.Path, role.Name),
		Tags: over(role.Tags, s.Tags), Issued: s.Issued, Session: s,
	}, nil
}

// holderOf gives the user with a unique id, or with none the account's root.
func holderOf(at Place, partition string, account vpc.AccountID, user, key string) (iam.Principal, error) {
	if user == "" {
		return iam.Root(account, partition, key), nil
	}
	u := state.Users.First(at(state.Scope{Account: account}), state.UsersByID, user)
	if u == nil {
		return iam.Principal{}, ErrNobody
	}
	return iam.Principal{
		Account: account, Type: iam.TypeUser, ID: u.ID, ARN: iam.ARN(partition, account, "user", u.Path, u.Name),
		AccessKeyID: key, Name: u.Name, Tags: u.Tags,
	}, nil
}

// over gives tags with others set on top; keys do not differ by case alone.
func over(tags, more vpc.Tags) vpc.Tags {
	if len(more) == 0 {
		return tags
	}
	out := slices.Clone(more)
	for _, t := range tags {
		if !slices.ContainsFunc(more, func(m vpc.Tag) bool { return strings.EqualFold(m.Key, t.Key) }) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b vpc.Tag) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// PoliciesOf gives the policies that apply to a principal: of a user those of
// its groups too, of a session those of its role and its own. For a root it is
// nil: nothing limits it. The error is of a document that was stored and
// cannot be read, by which nobody is allowed anything.
func PoliciesOf(at Place, p *iam.Principal) (*iam.Policies, error) {
	if p.Type == iam.TypeRoot {
		return nil, nil
	}
	space := at(state.Scope{Account: p.Account})
	g := gathering{space: space, account: p.Account}
	boundary := ""
	switch {
	case p.Type == iam.TypeUser:
		u := state.Users.First(space, state.UsersByID, p.ID)
		if u == nil {
			return nil, ErrNobody
		}
		g.user(u)
		boundary = u.Boundary
	case p.Session != nil:
		role := state.Roles.First(space, state.RolesByID, p.Session.Role)
		if role == nil {
			return nil, ErrNobody
		}
		g.inline(role.Inline, "role", role.Name)
		g.attached(role.Attached)
		boundary = role.Boundary
	default:
		return nil, ErrNobody
	}
	out := &iam.Policies{Identity: g.found}
	if boundary != "" {
		g.found = nil
		g.attached([]string{boundary})
		if len(g.found) == 1 {
			out.Boundary = g.found[0]
		}
	}
	if s := p.Session; s != nil && (s.Policy.String() != "" || len(s.PolicyARNs) > 0) {
		g.found = nil
		if s.Policy.String() != "" {
			g.add(s.Policy.Policy(iam.SessionPolicy, "session policy", "none"))
		}
		g.attached(s.PolicyARNs)
		out.Session = g.found
	}
	return out, g.err
}

// A gathering collects parsed policies; the first error stays.
type gathering struct {
	space   state.Reader
	account vpc.AccountID
	found   []*iam.Policy
	err     error
	// without says of which policies nothing is to be known: by the ARN, or by
	// the name and whose it is. Nil is of none.
	without *exclusions
}

func (g *gathering) add(p *iam.Policy, err error) {
	if err != nil {
		if g.err == nil {
			g.err = err
		}
		return
	}
	g.found = append(g.found, p)
}

func (g *gathering) user(u *iam.User) {
	g.inline(u.Inline, "user", u.Name)
	g.attached(u.Attached)
	for _, id := range u.Groups {
		if group := state.UserGroups.First(g.space, state.UserGroupsByID, id); group != nil {
			g.inline(group.Inline, "group", group.Name)
			g.attached(group.Attached)
		}
	}
}

func (g *gathering) inline(all []iam.InlinePolicy, source, holder string) {
	for i := range all {
		if g.without.inline(source, holder, all[i].Name) {
			continue
		}
		g.add(all[i].Document.Policy(iam.IdentityPolicy, all[i].Name, source))
	}
}

// attached adds managed policies. One that is gone, which only a session may
// name, allows nothing, and yet is a policy: without it there would be no
// limit.
func (g *gathering) attached(arns []string) {
	for _, arn := range arns {
		if g.without.managed(arn) {
			continue
		}
		p, aws, err := policyOf(g.space, g.account, arn)
		if err != nil || p == nil {
			g.add(&iam.Policy{Kind: iam.IdentityPolicy, Name: arn}, nil)
			continue
		}
		source := "user-managed"
		if aws {
			source = "aws-managed"
		}
		g.add(p.Version(p.Default).Document.Policy(iam.IdentityPolicy, arn, source))
	}
}
