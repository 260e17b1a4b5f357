package iamapi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// Sizes of policies in characters, of which white space is not counted: IAM
// user guide, "IAM and AWS STS quotas".
const (
	userInlineSize  = 2048 // together
	groupInlineSize = 5120
	roleInlineSize  = 10240
	managedSize     = 6144
	trustSize       = 2048

	maxVersions = 5
)

func sizeOf(doc string) int {
	n := 0
	for _, r := range doc {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// A holder is a user, group or role as what policies are put on. Put stages
// it with its changes; it is nil for one that is only read.
type holder struct {
	kind, name string
	inline     []iam.InlinePolicy
	attached   []string
	size       int    // of the inline policies together, at most
	quota      string // of attached policies, as it is told
	put        func(tx *state.Txn, h *holder)
}

func userHolder(r state.Reader, name string) (*holder, error) {
	u, err := userOf(r, name)
	if err != nil {
		return nil, err
	}
	return &holder{"user", u.Name, u.Inline, u.Attached, userInlineSize, "PoliciesPerUser", func(tx *state.Txn, h *holder) {
		c := *u
		c.Inline, c.Attached = h.inline, h.attached
		state.Users.Put(tx, &c)
	}}, nil
}

func groupHolder(r state.Reader, name string) (*holder, error) {
	g, err := groupOf(r, name)
	if err != nil {
		return nil, err
	}
	return &holder{"group", g.Name, g.Inline, g.Attached, groupInlineSize, "PoliciesPerGroup", func(tx *state.Txn, h *holder) {
		c := *g
		c.Inline, c.Attached = h.inline, h.attached
		state.UserGroups.Put(tx, &c)
	}}, nil
}

func roleHolder(r state.Reader, name string) (*holder, error) {
	role, err := roleOf(r, name)
	if err != nil {
		return nil, err
	}
	return &holder{"role", role.Name, role.Inline, role.Attached, roleInlineSize, "PoliciesPerRole", func(tx *state.Txn, h *holder) {
		c := *role
		c.Inline, c.Attached = h.inline, h.attached
		state.Roles.Put(tx, &c)
	}}, nil
}

func findInline(all []iam.InlinePolicy, name string) (int, bool) {
	return slices.BinarySearchFunc(all, name, func(p iam.InlinePolicy, name string) int { return strings.Compare(p.Name, name) })
}

// putInline sets an inline policy, in place of one with the same name.
func putInline(tx *state.Txn, h *holder, err error, name, document string) error {
	if err != nil {
		return err
	}
	p := iam.InlinePolicy{Name: name, Document: iam.NewText(document)}
	if _, err := p.Document.Policy(iam.IdentityPolicy, name, h.kind); err != nil {
		return err
	}
	inline := slices.Clone(h.inline)
	if i, found := findInline(inline, name); found {
		inline[i] = p
	} else {
		inline = slices.Insert(inline, i, p)
	}
	size := 0
	for i := range inline {
		size += sizeOf(inline[i].Document.String())
	}
	if size > h.size {
		return fault.PolicyTooLong.With(h.size, h.kind, h.name)
	}
	h.inline = inline
	h.put(tx, h)
	return nil
}

func getInline(h *holder, err error, name string) (doc string, e error) {
	if err != nil {
		return "", err
	}
	i, found := findInline(h.inline, name)
	if !found {
		return "", fault.NoSuchInlinePolicy.With(h.kind, name)
	}
	return encoded(h.inline[i].Document.String()), nil
}

func deleteInline(tx *state.Txn, h *holder, err error, name string) error {
	if err != nil {
		return err
	}
	i, found := findInline(h.inline, name)
	if !found {
		return fault.NoSuchInlinePolicy.With(h.kind, name)
	}
	h.inline = slices.Delete(slices.Clone(h.inline), i, i+1)
	h.put(tx, h)
	return nil
}

func listInline(h *holder, err error, marker string, max *int32) (out []string, more bool, next string, e error) {
	if err != nil {
		return nil, false, "", err
	}
	name := func(p iam.InlinePolicy) string { return p.Name }
	return page(slices.Values(h.inline), name, marker, max, func(p iam.InlinePolicy) (string, bool) { return p.Name, true })
}

// attach is no error if the policy is attached already.
func attach(tx *state.Txn, h *holder, err error, arn string) error {
	if err != nil {
		return err
	}
	if _, err := attachable(tx, arn); err != nil {
		return err
	}
	k := kept(arn)
	if slices.Contains(h.attached, k) {
		return nil
	}
	if len(h.attached) >= tx.Quotas.AttachedPolicies {
		return fault.LimitExceeded.With(h.quota, tx.Quotas.AttachedPolicies)
	}
	h.attached = append(slices.Clone(h.attached), k)
	h.put(tx, h)
	return nil
}

func detach(tx *state.Txn, h *holder, err error, arn string) error {
	if err != nil {
		return err
	}
	if err := ofPartition(&tx.Caller, arn); err != nil {
		return err
	}
	i := slices.Index(h.attached, kept(arn))
	if i < 0 {
		return fault.NoSuchPolicy.With(arn)
	}
	h.attached = slices.Delete(slices.Clone(h.attached), i, i+1)
	h.put(tx, h)
	return nil
}

func listAttached(n names, h *holder, err error, prefix, marker string, max *int32) (out []AttachedPolicy, more bool, next string, e error) {
	if err != nil {
		return nil, false, "", err
	}
	sorted := slices.Sorted(slices.Values(h.attached))
	return page(slices.Values(sorted), func(arn string) string { return arn }, marker, max, func(arn string) (AttachedPolicy, bool) {
		path, name := splitPolicyARN(arn)
		return AttachedPolicy{PolicyName: name, PolicyArn: n.shown(arn)}, under(path, prefix)
	})
}

// splitPolicyARN gives path and name of a policy.
func splitPolicyARN(arn string) (path, name string) {
	_, resource, _ := strings.Cut(arn, ":policy")
	i := strings.LastIndexByte(resource, '/')
	return resource[:i+1], resource[i+1:]
}

// policyOf finds a managed policy by its ARN: the account's own or one of
// AWS's. Nil is none; an ARN that is none of a policy is an error.
func policyOf(r state.Reader, account vpc.AccountID, arn string) (p *iam.ManagedPolicy, aws bool, err error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || parts[3] != "" || !strings.HasPrefix(parts[5], "policy/") {
		return nil, false, fault.InvalidInput.Say("ARN %s is not valid.", arn)
	}
	path, name := splitPolicyARN(arn)
	switch parts[4] {
	case "aws":
		return awsManaged(path, name), true, nil
	case string(account):
		if p := state.ManagedPolicies.Get(r, strings.ToLower(name)); p != nil && p.Name == name && p.Path == path {
			return p, false, nil
		}
	}
	return nil, false, nil
}

// ofPartition refuses the ARN of a policy that is of another partition than
// the caller.
func ofPartition(caller *iam.Principal, arn string) error {
	if !strings.HasPrefix(arn, "arn:"+caller.Partition()+":") {
		return fault.InvalidInput.Say("ARN %s is not valid.", arn)
	}
	return nil
}

// attachable finds a policy that is to be attached or to be a boundary.
func attachable(tx *state.Txn, arn string) (*iam.ManagedPolicy, error) {
	if err := ofPartition(&tx.Caller, arn); err != nil {
		return nil, err
	}
	p, _, err := policyOf(tx, tx.Account, arn)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fault.NoSuchAttachable.With(arn)
	}
	return p, nil
}

// readPolicy finds a policy that is to be looked at.
func readPolicy(c *action.Call, arn string) (*iam.ManagedPolicy, error) {
	if err := ofPartition(&c.Caller, arn); err != nil {
		return nil, err
	}
	p, _, err := policyOf(c, c.Account, arn)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fault.NoSuchPolicy.With(arn)
	}
	return p, nil
}

// ownPolicy finds a policy that is to be changed, a copy.
func ownPolicy(tx *state.Txn, arn string) (*iam.ManagedPolicy, error) {
	if err := ofPartition(&tx.Caller, arn); err != nil {
		return nil, err
	}
	p, aws, err := policyOf(tx, tx.Account, arn)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fault.NoSuchPolicy.With(arn)
	}
	if aws {
		return nil, &fault.Error{Code: "AccessDenied", Status: 403, Message: fmt.Sprintf("Policy %s is one of AWS's and cannot be changed.", arn)}
	}
	c := *p
	return &c, nil
}

// policyDocument reads a document that a managed policy is to have.
func policyDocument(p *iam.ManagedPolicy, arn, document string) (iam.Text, error) {
	t := iam.NewText(document)
	if _, err := t.Policy(iam.IdentityPolicy, arn, "user-managed"); err != nil {
		return t, err
	}
	if sizeOf(document) > managedSize {
		return t, fault.LimitExceeded.With("PolicySize", managedSize)
	}
	return t, nil
}

// trustDocument reads the trust policy of a role. The users and roles that it
// names must exist.
func trustDocument(tx *state.Txn, name, document string) (iam.Text, error) {
	t := iam.NewText(document)
	p, err := t.Policy(iam.TrustPolicy, name, "resource")
	if err != nil {
		return t, err
	}
	for _, arn := range p.Named() {
		if !exists(tx, arn) {
			return t, fault.MalformedPolicyDocument.Say(`Invalid principal in policy: "AWS":"%s"`, arn)
		}
	}
	if sizeOf(document) > trustSize {
		return t, fault.LimitExceeded.With("ACLSizePerRole", trustSize)
	}
	return t, nil
}

// exists reports whether an ARN is that of a user or a role, of whichever account.
func exists(tx *state.Txn, arn string) bool {
	parts := strings.SplitN(arn, ":", 6) // arn:aws:iam::ACCOUNT:user/PATH/NAME
	account := vpc.AccountID(parts[4])
	in, name := tx.In(state.Scope{Account: account}), strings.ToLower(arn[strings.LastIndexByte(arn, '/')+1:])
	n := names{tx.Caller.Partition(), account}
	if u := state.Users.Get(in, name); u != nil && n.user(u) == arn {
		return true
	}
	r := state.Roles.Get(in, name)
	return r != nil && n.role(r) == arn
}

// boundary checks the ARN of a permissions boundary, and gives it as it is kept.
func boundary(tx *state.Txn, arn string) (string, error) {
	if arn == "" {
		return "", nil
	}
	if _, err := attachable(tx, arn); err != nil {
		return "", err
	}
	return kept(arn), nil
}

// holdersOf counts who has a policy attached, and whose boundary it is.
func holdersOf(r state.Reader, arn string) (attached, boundaries int) {
	const all = 1 << 30
	k := kept(arn)
	attached = state.Users.Count(r, state.UsersByPolicy, k, all) + state.UserGroups.Count(r, state.UserGroupsByPolicy, k, all) +
		state.Roles.Count(r, state.RolesByPolicy, k, all)
	b := state.BoundaryKey(k)
	boundaries = state.Users.Count(r, state.UsersByPolicy, b, all) + state.Roles.Count(r, state.RolesByPolicy, b, all)
	return attached, boundaries
}

func versionName(number int32) string { return "v" + strconv.Itoa(int(number)) }

// versionOf finds a version by its name.
func versionOf(p *iam.ManagedPolicy, arn, name string) (*iam.PolicyVersion, error) {
	if number, err := strconv.ParseInt(strings.TrimPrefix(name, "v"), 10, 32); err == nil {
		if v := p.Version(int32(number)); v != nil && versionName(v.Number) == name {
			return v, nil
		}
	}
	return nil, fault.NoSuchPolicyVersion.With(arn, name)
}

func policyShape(r state.Reader, arn string, p *iam.ManagedPolicy) Policy {
	attached, boundaries := holdersOf(r, arn)
	return Policy{
		PolicyName: p.Name, PolicyId: p.ID, Arn: arn, Path: p.Path, DefaultVersionId: versionName(p.Default),
		AttachmentCount: int32(attached), PermissionsBoundaryUsageCount: int32(boundaries), IsAttachable: true,
		CreateDate: p.Created, UpdateDate: p.Updated,
	}
}

func wholePolicyShape(r state.Reader, arn string, p *iam.ManagedPolicy) *Policy {
	s := policyShape(r, arn, p)
	s.Description, s.Tags = p.Description, tagShapes(p.Tags)
	return &s
}

func versionShape(p *iam.ManagedPolicy, v *iam.PolicyVersion) PolicyVersion {
	return PolicyVersion{VersionId: versionName(v.Number), IsDefaultVersion: v.Number == p.Default, CreateDate: v.Created}
}
