package iamapi

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// A Tag is a key with its value.
type Tag struct {
	Key   string `out:"Key,always" valid:"required,min=1,max=128" pattern:"[\\pL\\pZ\\pN_.:/=+\\-@]+"`
	Value string `out:"Value,always" valid:"max=256" pattern:"[\\pL\\pZ\\pN_.:/=+\\-@]*"`
}

// names spells ARNs for one caller.
type names struct {
	partition string
	account   vpc.AccountID
}

func namesIn(tx *state.Txn) names  { return names{tx.Caller.Partition(), tx.Account} }
func namesOf(c *action.Call) names { return names{c.Caller.Partition(), c.Account} }

func (n names) user(u *iam.User) string {
	return iam.ARN(n.partition, n.account, "user", u.Path, u.Name)
}
func (n names) group(g *iam.Group) string {
	return iam.ARN(n.partition, n.account, "group", g.Path, g.Name)
}
func (n names) role(r *iam.Role) string {
	return iam.ARN(n.partition, n.account, "role", r.Path, r.Name)
}
func (n names) profile(p *iam.InstanceProfile) string {
	return iam.ARN(n.partition, n.account, "instance-profile", p.Path, p.Name)
}

// policy gives the ARN of a policy of the account's own.
func (n names) policy(p *iam.ManagedPolicy) string {
	return iam.ARN(n.partition, n.account, "policy", p.Path, p.Name)
}

// shown gives an ARN as the caller sees it, from the form in which it is kept.
func (n names) shown(arn string) string {
	if rest, ok := strings.CutPrefix(arn, "arn:aws:"); ok {
		return "arn:" + n.partition + ":" + rest
	}
	return arn
}

// kept gives the form in which an ARN is kept, which names no partition but
// "aws": IAM has the same things wherever it is called.
func kept(arn string) string {
	parts := strings.SplitN(arn, ":", 3)
	if len(parts) == 3 && parts[0] == "arn" && strings.HasPrefix(parts[1], "aws") {
		return "arn:aws:" + parts[2]
	}
	return arn
}

// newID gives a new unique id: a prefix and 17 characters of base32.
func newID(tx *state.Txn, prefix string) string {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], tx.Random())
	binary.LittleEndian.PutUint64(b[8:], tx.Random())
	return prefix + base32.StdEncoding.EncodeToString(b[:])[:17]
}

// NewAccessKey makes the id of an access key and its secret: 20 and 40
// characters, as clients expect them. The prefix is AKIA or ASIA.
func NewAccessKey(prefix string, random func() uint64) (id, secret string) {
	var b [48]byte
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], random())
	}
	return prefix + base32.StdEncoding.EncodeToString(b[:10]), base64.StdEncoding.EncodeToString(b[10:40])
}

// now is the time as IAM keeps it, in seconds.
func now(tx *state.Txn) time.Time { return tx.Now.UTC().Truncate(time.Second) }

// pathOr gives a path, or the usual one.
func pathOr(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// encoded gives a document as answers carry it, percent-encoded.
func encoded(doc string) string { return strings.ReplaceAll(url.QueryEscape(doc), "+", "%20") }

// userOf finds a user; names do not differ by case alone.
func userOf(r state.Reader, name string) (*iam.User, error) {
	if u := state.Users.Get(r, strings.ToLower(name)); u != nil {
		return u, nil
	}
	return nil, fault.NoSuchUser.With(name)
}

func groupOf(r state.Reader, name string) (*iam.Group, error) {
	if g := state.UserGroups.Get(r, strings.ToLower(name)); g != nil {
		return g, nil
	}
	return nil, fault.NoSuchUserGroup.With(name)
}

func roleOf(r state.Reader, name string) (*iam.Role, error) {
	if role := state.Roles.Get(r, strings.ToLower(name)); role != nil {
		return role, nil
	}
	return nil, fault.NoSuchRole.With(name)
}

func profileOf(r state.Reader, name string) (*iam.InstanceProfile, error) {
	if p := state.InstanceProfiles.Get(r, strings.ToLower(name)); p != nil {
		return p, nil
	}
	return nil, fault.NoSuchInstanceProfile.With(name)
}

// mergeTags gives old with more set on top, sorted. IAM compares keys without
// regard to case, and a key that comes again is spelt as it came last.
func mergeTags(tx *state.Txn, old vpc.Tags, more []Tag) (vpc.Tags, error) {
	out := slices.Clone(old)
	seen := map[string]bool{}
	for _, t := range more {
		fold := strings.ToLower(t.Key)
		if seen[fold] {
			return nil, fault.InvalidInput.Say("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[fold] = true
		if strings.HasPrefix(fold, "aws:") {
			return nil, fault.InvalidInput.Say("Tag keys beginning with aws: are reserved for internal use.")
		}
		i := slices.IndexFunc(out, func(o vpc.Tag) bool { return strings.EqualFold(o.Key, t.Key) })
		if i >= 0 {
			out[i] = vpc.Tag{Key: t.Key, Value: t.Value}
		} else {
			out = append(out, vpc.Tag{Key: t.Key, Value: t.Value})
		}
	}
	if len(out) > tx.Quotas.TagsPerResource {
		return nil, fault.LimitExceeded.With("TagsPerResource", tx.Quotas.TagsPerResource)
	}
	slices.SortFunc(out, func(a, b vpc.Tag) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// withoutTags gives tags without some keys.
func withoutTags(old vpc.Tags, keys []string) vpc.Tags {
	return slices.DeleteFunc(slices.Clone(old), func(t vpc.Tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
	})
}

func tagShapes(tags vpc.Tags) []Tag {
	var out []Tag
	for _, t := range tags {
		out = append(out, Tag{Key: t.Key, Value: t.Value})
	}
	return out
}

// pageTags is page for tags.
func pageTags(tags vpc.Tags, marker string, max *int32) (out []Tag, more bool, next string, err error) {
	return page(slices.Values(tags), func(t vpc.Tag) string { return t.Key }, marker, max,
		func(t vpc.Tag) (Tag, bool) { return Tag{Key: t.Key, Value: t.Value}, true })
}

// page gives one page of rows that come in the order of their keys: those
// after the marker, as shaped, without those that are not shown.
func page[R, S any](rows iter.Seq[R], key func(R) string, marker string, max *int32, shape func(R) (S, bool)) (out []S, more bool, next string, err error) {
	size, after := 100, ""
	if max != nil {
		size = int(*max)
	}
	if marker != "" {
		b, err := base64.RawURLEncoding.DecodeString(marker)
		if err != nil {
			return nil, false, "", fault.InvalidInput.Say("Invalid Marker.")
		}
		after = string(b)
	}
	last := ""
	for r := range rows {
		k := key(r)
		if marker != "" && k <= after {
			continue
		}
		s, ok := shape(r)
		if !ok {
			continue
		}
		if len(out) == size {
			return out, true, base64.RawURLEncoding.EncodeToString([]byte(last)), nil
		}
		out = append(out, s)
		last = k
	}
	return out, false, "", nil
}

// under reports whether a path begins with a prefix, of which none is every path.
func under(path, prefix string) bool { return strings.HasPrefix(path, prefix) }

func userShape(n names, u *iam.User) User {
	return User{Path: u.Path, UserName: u.Name, UserId: u.ID, Arn: n.user(u), CreateDate: u.Created}
}

// wholeUserShape has what lists leave out.
func wholeUserShape(n names, u *iam.User) *User {
	s := userShape(n, u)
	s.PermissionsBoundary, s.Tags = boundaryShape(n, u.Boundary), tagShapes(u.Tags)
	return &s
}

func groupShape(n names, g *iam.Group) Group {
	return Group{Path: g.Path, GroupName: g.Name, GroupId: g.ID, Arn: n.group(g), CreateDate: g.Created}
}

func roleShape(n names, r *iam.Role) Role {
	return Role{
		Path: r.Path, RoleName: r.Name, RoleId: r.ID, Arn: n.role(r), CreateDate: r.Created,
		AssumeRolePolicyDocument: encoded(r.Trust.String()), Description: r.Description, MaxSessionDuration: r.MaxSession,
	}
}

func wholeRoleShape(n names, r *iam.Role) *Role {
	s := roleShape(n, r)
	s.PermissionsBoundary, s.Tags = boundaryShape(n, r.Boundary), tagShapes(r.Tags)
	return &s
}

// boundaryShape shows a permissions boundary; nil for none.
func boundaryShape(n names, arn string) *AttachedPermissionsBoundary {
	if arn == "" {
		return nil
	}
	return &AttachedPermissionsBoundary{PermissionsBoundaryType: "Policy", PermissionsBoundaryArn: n.shown(arn)}
}

func profileShape(r state.Reader, n names, p *iam.InstanceProfile) InstanceProfile {
	s := InstanceProfile{
		Path: p.Path, InstanceProfileName: p.Name, InstanceProfileId: p.ID, Arn: n.profile(p), CreateDate: p.Created,
		Roles: []Role{}, Tags: tagShapes(p.Tags),
	}
	if role := state.Roles.First(r, state.RolesByID, p.Role); role != nil && p.Role != "" {
		s.Roles = append(s.Roles, roleShape(n, role))
	}
	return s
}
