package trail

import (
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"moat/flow"
	"moat/vpc"
)

// A Query says which events are wanted, the newest first.
type Query struct {
	// Account and Region narrow to those of one; "" is any. Events that belong
	// to no region, as those of IAM, belong to each.
	Account vpc.AccountID
	Region  string
	// Terms are what an event must be found by, all of them; see Terms.
	Terms []string
	// Source is the service that was called, as ec2; "" is any.
	Source   string
	ReadOnly *bool
	// Since and Until bound the time, both included; zero is no bound.
	Since, Until time.Time
	// Before is the place to go on from, itself left out; zero for the end.
	Before Place
	// Match judges what Terms cannot say; nil for nothing.
	Match func(*Event) bool
	Limit int
}

// The kinds of terms.
const (
	ByID       = "id"       // the event's
	ByName     = "name"     // of the action
	ByUser     = "user"     // the name of a user, or of a role's session
	ByCaller   = "caller"   // an ARN
	ByKey      = "key"      // an access key
	ByResource = "resource" // an id, a name or an ARN
	ByType     = "type"     // AWS::EC2::SecurityGroup
	ByRule     = "rule"     // sgr-…
)

// Term gives a term: a kind and what is looked for.
func Term(kind, value string) string { return kind + "=" + value }

// Terms gives everything that an event is found by.
func Terms(e *Event) iter.Seq[string] {
	return func(yield func(string) bool) {
		seen := map[string]bool{}
		one := func(kind, value string) bool {
			t := Term(kind, value)
			if value == "" || seen[t] {
				return true
			}
			seen[t] = true
			return yield(t)
		}
		if !one(ByID, e.ID) || !one(ByName, e.Action) || !one(ByUser, Username(e)) || !one(ByCaller, e.Principal) || !one(ByKey, e.AccessKey) {
			return
		}
		for _, r := range Resources(e) {
			if !one(ByResource, r.Name) || !one(ByType, r.Type) {
				return
			}
		}
		for _, text := range e.Rules {
			if r, ok := ParseRuleChange(text); ok && (!one(ByRule, r.ID) || !one(ByResource, r.Group)) {
				return
			}
		}
	}
}

// Username gives what CloudTrail's Username is: the user's name, the name of a
// role's session, or root; and moat, of what it does by itself.
func Username(e *Event) string {
	switch {
	case e.UserName != "":
		return e.UserName
	case e.Service == "moat" && e.AccessKey == "":
		return "moat" // itself
	case strings.HasSuffix(e.Principal, ":root"):
		return "root"
	}
	_, resource, _ := strings.Cut(e.Principal, "::")
	if i := strings.LastIndexByte(resource, '/'); i >= 0 {
		return resource[i+1:]
	}
	return ""
}

// A Resource is what a call was about, as CloudTrail tells it.
type Resource struct{ Type, Name string }

// resourceTypes are by the kind of a record in its key.
var resourceTypes = map[string]string{
	"vpc": "AWS::EC2::VPC", "subnet": "AWS::EC2::Subnet", "sg": "AWS::EC2::SecurityGroup", "eni": "AWS::EC2::NetworkInterface",
	"pl": "AWS::EC2::PrefixList", "instance": "AWS::EC2::Instance", "vol": "AWS::EC2::Volume", "keypair": "AWS::EC2::KeyPair",
	"eip": "AWS::EC2::EIP", "igw": "AWS::EC2::InternetGateway", "rtb": "AWS::EC2::RouteTable", "acl": "AWS::EC2::NetworkAcl",
	"dopt": "AWS::EC2::DHCPOptions", "vpce": "AWS::EC2::VPCEndpoint", "pcx": "AWS::EC2::VPCPeeringConnection",
	"key": "AWS::IAM::AccessKey",
}

// idTypes are by what ids begin with.
var idTypes = map[string]string{
	"sg": "AWS::EC2::SecurityGroup", "sgr": "AWS::EC2::SecurityGroupRule", "vpc": "AWS::EC2::VPC", "subnet": "AWS::EC2::Subnet",
	"eni": "AWS::EC2::NetworkInterface", "pl": "AWS::EC2::PrefixList", "i": "AWS::EC2::Instance", "vol": "AWS::EC2::Volume",
	"key": "AWS::EC2::KeyPair", "eipalloc": "AWS::EC2::EIP", "igw": "AWS::EC2::InternetGateway", "rtb": "AWS::EC2::RouteTable",
	"acl": "AWS::EC2::NetworkAcl", "dopt": "AWS::EC2::DHCPOptions", "vpce": "AWS::EC2::VPCEndpoint", "pcx": "AWS::EC2::VPCPeeringConnection",
}

// namedTypes are by the parameter that names something: its types at IAM, and
// elsewhere.
var namedTypes = map[string][2]string{
	"UserName": {"AWS::IAM::User", ""}, "GroupName": {"AWS::IAM::Group", "AWS::EC2::SecurityGroup"}, "RoleName": {"AWS::IAM::Role", ""},
	"PolicyArn": {"AWS::IAM::Policy", ""}, "PolicyName": {"AWS::IAM::Policy", ""}, "InstanceProfileName": {"AWS::IAM::InstanceProfile", ""},
	"AccessKeyId": {"AWS::IAM::AccessKey", ""}, "RoleArn": {"", "AWS::IAM::Role"}, "KeyName": {"", "AWS::EC2::KeyPair"},
}

// maxResources bounds how many resources an event is found by; a call that
// names more is found by the first.
const maxResources = 64

// Resources gives what a call was about: the records that it changed, and what
// its parameters name.
func Resources(e *Event) []Resource {
	var out []Resource
	add := func(r Resource) {
		if r.Type != "" && r.Name != "" && len(out) < maxResources && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	for _, key := range e.Changed {
		if parts := strings.SplitN(key, "/", 4); len(parts) == 4 {
			add(Resource{resourceTypes[parts[2]], parts[3]})
		}
	}
	for name, value := range e.Params() {
		if len(out) == maxResources {
			break
		}
		last := name[strings.LastIndexByte(name, '.')+1:]
		if t, ok := namedTypes[last]; ok {
			if e.Service == "iam" {
				add(Resource{t[0], value})
			} else {
				add(Resource{t[1], value})
			}
		}
		if t := typeOfID(value); t != "" {
			add(Resource{t, value})
		}
	}
	return out
}

// typeOfID tells ids: a known prefix, a dash, 8 or 17 hexadecimal digits.
func typeOfID(s string) string {
	i := strings.LastIndexByte(s, '-')
	if i < 0 || len(s)-i-1 != 17 && len(s)-i-1 != 8 || strings.Trim(s[i+1:], "0123456789abcdef") != "" {
		return ""
	}
	return idTypes[s[:i]]
}

// Params gives the parameters of the request, in order.
func (e *Event) Params() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for pair := range strings.SplitSeq(e.Request, "&") {
			k, v, ok := strings.Cut(pair, "=")
			if !ok {
				continue
			}
			if plain, err := url.QueryUnescape(v); err == nil {
				v = plain
			}
			if !yield(k, v) {
				return
			}
		}
	}
}

// A RuleChange is what a call did to a security group rule.
type RuleChange struct {
	Sign  byte // + added, ~ changed, - removed
	ID    string
	Group string
	Rule  string // in tcp 22 203.0.113.25/32
}

// String gives the change as events keep it.
func (c RuleChange) String() string {
	return string(c.Sign) + c.ID + " " + c.Group + " " + c.Rule
}

// ParseRuleChange reads what String gives.
func ParseRuleChange(s string) (RuleChange, bool) {
	if s == "" || !strings.ContainsRune("+~-", rune(s[0])) {
		return RuleChange{}, false
	}
	parts := strings.SplitN(s[1:], " ", 3)
	if len(parts) != 3 {
		return RuleChange{}, false
	}
	return RuleChange{s[0], parts[0], parts[1], parts[2]}, true
}

// RuleText says what a rule lets pass: direction, protocol, ports and peer.
func RuleText(r *vpc.Rule) string {
	ports := "all"
	switch {
	case r.Ports.From < 0 || !r.HasPorts():
	case r.Ports.From == r.Ports.To:
		ports = strconv.Itoa(int(r.Ports.From))
	default:
		ports = fmt.Sprintf("%d-%d", r.Ports.From, r.Ports.To)
	}
	peer := r.Peer.Ref
	if r.Peer.CIDR.IsValid() {
		peer = r.Peer.CIDR.String()
	}
	protocol := r.Protocol.String()
	if r.Protocol < 0 {
		protocol = "all"
	}
	direction := "in"
	if r.Direction == flow.Egress {
		direction = "out"
	}
	return direction + " " + protocol + " " + ports + " " + peer
}

// Touches reports whether the call was about a port: it names a rule that has
// it, or a range that has it. Rules for all protocols have all ports.
func (e *Event) Touches(port int) bool {
	for _, text := range e.Rules {
		c, ok := ParseRuleChange(text)
		parts := strings.Fields(c.Rule)
		if !ok || len(parts) != 4 {
			continue
		}
		from, to, _ := strings.Cut(parts[2], "-")
		if to == "" {
			to = from
		}
		switch parts[1] {
		case "all":
			return true
		case "tcp", "udp":
			if parts[2] == "all" || within(port, from, to) {
				return true
			}
		}
	}
	if len(e.Rules) > 0 {
		return false
	}
	// A refused call: what it asked for.
	type asked struct{ protocol, from, to string }
	all := map[string]*asked{}
	for k, v := range e.Params() {
		i := strings.LastIndexByte(k, '.') + 1
		a := all[k[:i]]
		if a == nil {
			a = &asked{}
			all[k[:i]] = a
		}
		switch k[i:] {
		case "IpProtocol":
			a.protocol = v
		case "FromPort":
			a.from = v
		case "ToPort":
			a.to = v
		}
	}
	for _, a := range all {
		switch a.protocol {
		case "-1", "all":
			return true
		case "tcp", "udp", "6", "17":
			if within(port, a.from, a.to) {
				return true
			}
		}
	}
	return false
}

func within(port int, from, to string) bool {
	f, err := strconv.Atoi(from)
	t, err2 := strconv.Atoi(to)
	return err == nil && err2 == nil && f <= port && port <= t
}
