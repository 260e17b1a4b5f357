// Package awsmodel knows what the operations of a service take and give, as a
// command line needs it: shapes, their names on the wire, how an operation is
// paged and waited for. There are two sources: the types of our own actions,
// and the committed table of one version of the AWS CLI. It knows no command
// line and no action.
package awsmodel

import "strings"

// A Kind is the type of a shape, by the names that AWS's service models use.
type Kind uint8

const (
	String Kind = iota
	Structure
	List
	Mapping
	Integer
	Long
	Float
	Double
	Boolean
	Timestamp
	Blob
)

var kindNames = [...]string{"string", "structure", "list", "map", "integer", "long", "float", "double", "boolean", "timestamp", "blob"}

func (k Kind) String() string { return kindNames[k] }

// Scalar reports whether values of the kind have no parts.
func (k Kind) Scalar() bool { return k != Structure && k != List && k != Mapping }

// Whole reports whether values of the kind are whole numbers.
func (k Kind) Whole() bool { return k == Integer || k == Long }

// A Shape is a type of the service. Shapes may refer to themselves.
type Shape struct {
	Name    string
	Kind    Kind
	Members []Member // of a Structure, in the model's order
	Elem    *Shape   // of a List; the values of a Mapping
	Key     *Shape   // of a Mapping
	Flat    bool     // a List whose items carry numbers right after its name: Name.1
	Enum    []string
	Min     int64 // least value, or length; meaningless unless HasMin
	HasMin  bool
}

// A Member is a member of a Structure.
type Member struct {
	Name     string
	Shape    *Shape
	In, Out  string // names on the wire: the component of a form's key, the element
	Required bool
	Token    bool // an idempotency token, which the client makes up if it is not given
	Hidden   bool // left out of help and completion
	Doc      string
}

// Member gives the member of that name, or nil.
func (s *Shape) Member(name string) *Member {
	if s == nil {
		return nil
	}
	for i := range s.Members {
		if s.Members[i].Name == name {
			return &s.Members[i]
		}
	}
	return nil
}

// Names gives the names of the members in order.
func (s *Shape) Names() []string {
	names := make([]string, len(s.Members))
	for i := range s.Members {
		names[i] = s.Members[i].Name
	}
	return names
}

// An Operation is one call that a service offers.
type Operation struct {
	Service *Service
	Name    string
	Doc     string
	In, Out *Shape // nil for none
	Wrapper string // the element that holds the output; "" for the document itself
	Pages   *Pages // nil if the operation is not paged
}

// Command gives the operation's name on the command line.
func (o *Operation) Command() string { return CommandName(o.Name) }

// Pages says how an operation is paged.
type Pages struct {
	InputToken, OutputToken, ResultKey, NonAggregate []string
	MoreResults, LimitKey                            string
}

// A Waiter says which operation is polled until something is so.
type Waiter struct {
	Name, Operation    string
	Delay, MaxAttempts int
	Acceptors          []Acceptor
}

// An Acceptor says what one kind of answer means to a waiter.
type Acceptor struct {
	State, Matcher, Argument string
	Expected                 any // string, bool, or int64
}

// Protocols.
const (
	EC2   = "ec2"   // EC2's own form of the Query protocol
	Query = "query" // that of STS and IAM
	JSON  = "json"  // JSON 1.1, of CloudTrail
)

// A Service is what the operations of a service have in common.
type Service struct {
	Name       string // on the command line, and in endpoints and signatures
	ID         string // as in AWS_ENDPOINT_URL_{ID}, with spaces as _
	Title      string
	Version    string
	Protocol   string
	Target     string   // what the operation's name follows in X-Amz-Target; of JSON only
	Global     string   // the host of a service that has one endpoint for all regions
	Operations []string // in order
	Waiters    []string // in order
	Choices    []string // what a table's version offers after the service's name

	// Lookup gives an operation, Wait a waiter; nil if there is none.
	Lookup func(name string) *Operation
	Wait   func(name string) *Waiter
	// PagesOf says how an operation is paged, nil if it is not; of tables only.
	PagesOf func(name string) *Pages
}

// Commands gives the names of the operations on the command line, in order.
func (s *Service) Commands() []string {
	names := make([]string, len(s.Operations))
	for i, n := range s.Operations {
		names[i] = CommandName(n)
	}
	return names
}

// Find gives the operation with that name on the command line, or nil.
func (s *Service) Find(command string) *Operation {
	// The letters of a command's name are those of the operation's.
	squeezed := strings.ReplaceAll(command, "-", "")
	for _, n := range s.Operations {
		if len(n) == len(squeezed) && strings.EqualFold(n, squeezed) && CommandName(n) == command {
			return s.Lookup(n)
		}
	}
	return nil
}

// CommandName gives a name of the model as the command line spells it:
// DescribeVpcs is describe-vpcs, CidrIpv6 is cidr-ipv6, and a plural of an
// abbreviation stays whole: TargetARNs is target-arns.
func CommandName(name string) string {
	if strings.Contains(name, "-") {
		return name
	}
	if n := pluralOfCapitals(name); n > 0 {
		name = name[:len(name)-n] + "-" + strings.ToLower(name[len(name)-n:])
	}
	return strings.ToLower(dashLower(dashCapital(name)))
}

// pluralOfCapitals gives the length of a trailing "ARNs": at least two
// capitals and an s.
func pluralOfCapitals(s string) int {
	if !strings.HasSuffix(s, "s") {
		return 0
	}
	n := 0
	for i := len(s) - 2; i >= 0 && upper(s[i]); i-- {
		n++
	}
	if n < 2 {
		return 0
	}
	return n + 1
}

// dashCapital puts a dash before a capital that small letters follow, unless
// it comes first: the pattern (.)([A-Z][a-z]+).
func dashCapital(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if i+2 < len(s) && upper(s[i+1]) && lower(s[i+2]) {
			b.WriteByte(s[i])
			b.WriteByte('-')
			j := i + 2
			for j < len(s) && lower(s[j]) {
				j++
			}
			b.WriteString(s[i+1 : j])
			i = j
			continue
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}

// dashLower puts a dash between a small letter or digit and a capital.
func dashLower(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i > 0 && upper(s[i]) && (lower(s[i-1]) || s[i-1] >= '0' && s[i-1] <= '9') {
			b.WriteByte('-')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func lower(c byte) bool { return 'a' <= c && c <= 'z' }
