package sts

import (
	"slices"
	"strings"
	"time"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/iamapi"
	"moat/state"
	"moat/vpc"
)

// Bounds of a session's own policies and tags: IAM user guide, "IAM and AWS
// STS quotas".
const (
	maxSessionPolicy = 2048
	maxSessionARNs   = 10
	// packed is how many bytes of policies and tags a session may carry. AWS
	// does not tell how it packs; here they are counted as they come.
	packed = 8192
	// maxToken is the size that a caller may make a token have: API reference
	// of STS, AssumeRole, MinimumSessionTokenSize. What a token uses of it is
	// never told as more than 100 percent.
	maxToken = 4096
)

// assume makes a session of a role. The role's trust policy decides, and the
// caller's own policies must allow it too, unless the trust policy names the
// caller itself in its own account. IAM user guide, "Cross-account policy
// evaluation logic".
func assume(c *action.Call, in *AssumeRoleInput) (*AssumeRoleOutput, error) {
	if c.Caller.IsRoot() {
		return nil, fault.AccessDenied.With("Roles may not be assumed by root accounts.")
	}
	if in.TokenCode != "" || in.SerialNumber != "" {
		return nil, noSecondFactor()
	}
	account, role, err := roleOf(c.View, c.Caller.Partition(), in.RoleArn)
	if err != nil {
		return nil, err
	}
	tags, transitive, err := sessionTags(c.Caller.Session, in)
	if err != nil {
		return nil, err
	}
	identity := in.SourceIdentity
	if s := c.Caller.Session; s != nil && s.SourceIdentity != "" {
		if identity != "" && identity != s.SourceIdentity {
			return nil, fault.AccessDenied.With("The source identity of a session cannot be changed.")
		}
		identity = s.SourceIdentity
	}
	if role == nil {
		// As for a role that does not trust the caller: nobody learns from a
		// refusal which roles there are.
		return nil, refusal(c, in.RoleArn, "sts:AssumeRole")
	}
	need := iam.Need{Resource: in.RoleArn, Tags: role.Tags, Keys: []iam.Key{
		{Name: "sts:rolesessionname", Values: []string{in.RoleSessionName}},
		{Name: "aws:resourceaccount", Values: []string{string(account)}},
	}}
	key := func(name string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			need.Keys = append(need.Keys, iam.Key{Name: name, Values: values})
		}
	}
	key("sts:externalid", in.ExternalId)
	key("sts:sourceidentity", identity)
	key("aws:sourceidentity", identity)
	key("sts:transitivetagkeys", in.TransitiveTagKeys...)
	for _, t := range in.Tags {
		need.RequestTags = append(need.RequestTags, vpc.Tag{Key: t.Key, Value: t.Value})
	}
	actions := []string{"sts:AssumeRole"}
	if len(tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if identity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, a := range actions {
		need.Action = a
		if !allowed(c, role, account, &need) {
			return nil, refusal(c, in.RoleArn, a)
		}
	}

	s := newSession(c, in.DurationSeconds, time.Hour)
	switch wants := s.Expires.Sub(s.Issued); {
	case wants > time.Duration(role.MaxSession)*time.Second:
		return nil, fault.ValidationError.With("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	case c.Caller.Session != nil && c.Caller.Session.Role != "" && wants > time.Hour:
		return nil, fault.ValidationError.With("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	s.Account, s.Role, s.Name, s.Tags, s.Transitive, s.SourceIdentity = account, role.ID, in.RoleSessionName, tags, transitive, identity
	size, err := narrow(c, s, in)
	if err != nil {
		return nil, err
	}
	out := &AssumeRoleOutput{
		SourceIdentity: identity,
		AssumedRoleUser: &AssumedRoleUser{
			AssumedRoleId: role.ID + ":" + s.Name,
			Arn:           "arn:" + c.Caller.Partition() + ":sts::" + string(account) + ":assumed-role/" + role.Name + "/" + s.Name,
		},
	}
	out.Credentials, out.SessionTokenSize, out.SessionTokenUtilization = credentialsOf(c, s, in.MinimumSessionTokenSize)
	if size > 0 {
		percent := int32((size*100 + packed - 1) / packed)
		out.PackedPolicySize = &percent
	}
	return out, nil
}

// roleOf finds a role by its ARN, in whichever account; nil is none, and of
// another partition there is none.
func roleOf(v *state.View, partition, arn string) (vpc.AccountID, *iam.Role, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || parts[3] != "" || len(parts[4]) != 12 || !strings.HasPrefix(parts[5], "role/") {
		return "", nil, fault.ValidationError.With(arn + " is invalid")
	}
	path := parts[5][len("role"):]
	name := path[strings.LastIndexByte(path, '/')+1:]
	account := vpc.AccountID(parts[4])
	r := state.Roles.Get(v.In(state.Scope{Account: account}), strings.ToLower(name))
	if r == nil || r.Path+r.Name != path || parts[1] != partition {
		return account, nil, nil
	}
	return account, r, nil
}

// refusal is what a caller is told who may not assume a role, whatever the
// reason.
func refusal(c *action.Call, role, what string) error {
	return fault.AccessDenied.With("User: " + c.Caller.ARN + " is not authorized to perform: " + what + " on resource: " + role)
}

func noSecondFactor() error {
	return fault.AccessDenied.With("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
}

// A roleContext has the keys of one question about a role, over those of the
// call.
type roleContext struct {
	need *iam.Need
	call iam.Context
}

// Values gives the values of a key.
func (r roleContext) Values(key string) ([]string, bool) {
	if v, ok := r.need.Values(key); ok {
		return v, true
	}
	if r.call == nil {
		return nil, false
	}
	return r.call.Values(key)
}

// allowed reports whether trust policy and caller's policies let the caller do
// something with a role. The zero answer is no.
func allowed(c *action.Call, role *iam.Role, account vpc.AccountID, need *iam.Need) bool {
	trust, err := role.Trust.Policy(iam.TrustPolicy, role.Name, "resource")
	if err != nil {
		return false
	}
	q := iam.Request{Principal: &c.Caller, Action: need.Action, Resource: need.Resource, Context: roleContext{need, c.Context}}
	d, named := iam.DecideTrust(trust, &q)
	if !d.Allowed {
		return false
	}
	own, err := iamapi.PoliciesOf(iamapi.ViewPlace(c.View), &c.Caller)
	if err != nil {
		return false
	}
	if named && account == c.Caller.Account {
		// The trust policy stands for a policy of the caller's own; what it has
		// may still deny, and a boundary or a session policy still bounds it.
		trusted := *own
		trusted.Identity = append(slices.Clip(own.Identity), iamapi.AllowAll())
		own = &trusted
	}
	decision := iam.Decide(own, &q)
	return decision.Allowed
}

// newSession gives a session of the caller's, whose credentials are new.
func newSession(c *action.Call, seconds *int32, usual time.Duration) *iam.Session {
	life := usual
	if seconds != nil {
		life = time.Duration(*seconds) * time.Second
	}
	now := c.Now.UTC().Truncate(time.Second)
	s := &iam.Session{Account: c.Caller.Account, Issued: now, Expires: now.Add(life), Key: c.Caller.AccessKeyID}
	if from := c.Caller.Session; from != nil {
		s.Key = from.Key
	}
	s.AccessKeyID, s.Secret = iamapi.NewAccessKey("ASIA", c.Random)
	return s
}

func credentialsOf(c *action.Call, s *iam.Session, least *int32) (out *Credentials, size, percent *int32) {
	token := c.Token(s)
	if least != nil && int(*least) > len(token) {
		// Base64: three bytes are four characters.
		s.Padding = make([]byte, (int(*least)-len(token)+3)/4*3)
		token = c.Token(s)
	}
	n := int32(len(token))
	used := min(100, (n*100+maxToken-1)/maxToken)
	return &Credentials{AccessKeyId: s.AccessKeyID, SecretAccessKey: s.Secret, SessionToken: token, Expiration: s.Expires}, &n, &used
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// sessionTags gives the tags of a new session, with those that the caller's
// own session hands on, and which of them are handed on again.
func sessionTags(from *iam.Session, in *AssumeRoleInput) (tags vpc.Tags, transitive []string, err error) {
	bad := func(text string) error {
		return &fault.Error{Code: "InvalidParameterValue", Status: 400, Message: text}
	}
	has := func(key string) bool {
		return slices.ContainsFunc(tags, func(t vpc.Tag) bool { return strings.EqualFold(t.Key, key) })
	}
	if from != nil {
		for _, t := range from.Tags {
			if slices.ContainsFunc(from.Transitive, func(k string) bool { return strings.EqualFold(k, t.Key) }) {
				tags, transitive = append(tags, t), append(transitive, t.Key)
			}
		}
	}
	handedOn := len(tags)
	for _, t := range in.Tags {
		switch {
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, nil, bad("Tag keys beginning with aws: are reserved for internal use.")
		case slices.ContainsFunc(tags[:handedOn], func(o vpc.Tag) bool { return strings.EqualFold(o.Key, t.Key) }):
			return nil, nil, bad("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		case has(t.Key):
			return nil, nil, bad("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		tags = append(tags, vpc.Tag{Key: t.Key, Value: t.Value})
	}
	for _, k := range in.TransitiveTagKeys {
		if !has(k) {
			return nil, nil, bad("The specified transitive tag key must be included in the requested tags.")
		}
		if !slices.ContainsFunc(transitive, func(o string) bool { return strings.EqualFold(o, k) }) {
			transitive = append(transitive, k)
		}
	}
	slices.SortFunc(tags, func(a, b vpc.Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags, transitive, nil
}

// narrow gives a session the policies that it is to have of its own, and tells
// how many bytes they and its tags take.
func narrow(c *action.Call, s *iam.Session, in *AssumeRoleInput) (size int, err error) {
	if in.Policy != "" {
		if len(in.Policy) > maxSessionPolicy {
			return 0, fault.PackedPolicyTooLarge.Say("The session policy has %d characters, of which %d are allowed.", len(in.Policy), maxSessionPolicy)
		}
		s.Policy = iam.NewText(in.Policy)
		if _, err := s.Policy.Policy(iam.SessionPolicy, "session policy", "none"); err != nil {
			return 0, err
		}
		size += len(in.Policy)
	}
	if len(in.PolicyArns) > maxSessionARNs {
		return 0, fault.PackedPolicyTooLarge.Say("A session takes %d managed policies at most.", maxSessionARNs)
	}
	for _, d := range in.PolicyArns {
		if !strings.HasPrefix(d.Arn, "arn:"+c.Caller.Partition()+":") || !iamapi.HasPolicy(c.View, s.Account, d.Arn) {
			return 0, fault.ValidationError.With("The policy " + d.Arn + " does not exist.")
		}
		s.PolicyARNs = append(s.PolicyARNs, d.Arn)
		size += len(d.Arn)
	}
	for _, t := range s.Tags {
		size += len(t.Key) + len(t.Value)
	}
	if size > packed {
		return 0, fault.PackedPolicyTooLarge.Say("Packed policy consumes %d%% of allotted space, please use smaller policy.", size*100/packed)
	}
	return size, nil
}
