// Package action knows what an action of the API is: a value that says its
// name, what it takes and gives, and how it is planned or answered. It knows
// no particular one.
package action

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"time"

	"moat/ec2query"
	"moat/fault"
	"moat/iam"
	"moat/state"
	"moat/trail"
	"moat/vpc"
)

// An Action is one action of the API; it is a Planner or an Answerer.
type Action interface {
	Info() Info
	// NewInput gives a pointer to a zero input.
	NewInput() any
}

// A Planner is an action that changes something.
type Planner interface {
	Action
	// Stage plans the action's changes in the transaction and gives its
	// output. On error the transaction is dropped whole.
	Stage(tx *state.Txn, in any) (out any, err error)
}

// An Answerer is an action that only reads.
type Answerer interface {
	Action
	Answer(c *Call, in any) (*Reply, error)
}

// Info is what help, tests and clients need to know of an action.
type Info struct {
	Name, Doc string
	In, Out   reflect.Type // structs
	Writes    bool
}

// A Call is what an action that reads is given.
type Call struct {
	*state.Space
	View   *state.View
	Caller iam.Principal
	Now    time.Time
	Quotas *vpc.Quotas
	// Cache keeps rendered list items; nil for none.
	Cache Cache
	// Ended says why nobody waits for the answer any more, and is nil while
	// somebody does; nil for a call that is always carried out.
	Ended func() error

	// Context has the condition keys of the call itself.
	Context iam.Context
	// Random gives numbers that nobody can foretell.
	Random func() uint64
	// Token seals a session into the token of its credentials, and Message
	// opens an encoded authorization message.
	Token   func(*iam.Session) string
	Message func(encoded string) (message string, ok bool)
	// Events finds events of the audit trail, and Action an action of any service.
	Events func(*trail.Query) (events []*trail.Event, next trail.Place, err error)
	Action func(service, name string) Action
	// KeyUse gives the last use of a key or a role that is yet to be stored;
	// nil for none.
	KeyUse func(id string) *iam.KeyUse
}

// A Cache keeps the rendered form of immutable rows. It may forget anything.
type Cache interface {
	Get(key CacheKey) ([]byte, bool)
	Set(key CacheKey, rendered []byte)
}

// A CacheKey is a row under an action that shows it.
type CacheKey struct {
	Action string
	Row    any
}

// A Reply is the answer of an action that reads: Out, or a list that is
// rendered item by item.
type Reply struct {
	Out any

	// List is the list's element name; then Len items follow and Next, the
	// token of the next page, if it is not empty.
	List   string
	Len    int
	Append func(buf []byte, i int) []byte
	Next   string
	// Item gives the rendered form of an item, which is kept and never
	// changes, and whether it had to be rendered now. Nil where items are not
	// kept.
	Item func(i int) (rendered []byte, now bool)
}

// AppendMembers renders the members of the reply, without its envelope. When
// flush is not nil it is called whenever a good piece has been rendered, and
// gives the buffer to go on with.
func (r *Reply) AppendMembers(buf []byte, flush func([]byte) []byte) []byte {
	if r.List == "" {
		return ec2query.AppendMembers(buf, r.Out)
	}
	buf = r.AppendOpen(buf)
	for i := range r.Len {
		buf = r.Append(buf, i)
		if flush != nil && len(buf) >= 64<<10 {
			buf = flush(buf)
		}
	}
	return r.AppendClose(buf)
}

// AppendOpen renders what stands before the items of a list, and AppendClose
// what stands after them.
func (r *Reply) AppendOpen(buf []byte) []byte {
	buf = append(buf, '<')
	buf = append(buf, r.List...)
	if r.Len == 0 {
		return append(buf, "/>"...)
	}
	return append(buf, '>')
}

// AppendClose renders what AppendOpen and the items leave to be said.
func (r *Reply) AppendClose(buf []byte) []byte {
	if r.Len > 0 {
		buf = append(buf, "</"...)
		buf = append(buf, r.List...)
		buf = append(buf, '>')
	}
	if r.Next != "" {
		buf = ec2query.AppendElement(buf, "nextToken", r.Next)
	}
	return buf
}

// Write is an action that changes something.
type Write[In, Out any] struct {
	Name, Doc string
	// Plan stages the changes; it is pure, and is called again on a newer view
	// when another server was faster.
	Plan func(tx *state.Txn, in *In) (*Out, error)

	// An action whose input has a ClientToken gives Created, the id of what
	// its output tells of, and Replay, the output for a token that was used
	// before.
	Created func(out *Out) string
	Replay  func(tx *state.Txn, in *In, id string) (*Out, error)

	// Secret fills in what the plan needs and cannot make itself, before it is
	// called: a plan draws no secrets, and has no time for it. Nil for none.
	Secret func(in *In, s Secrets) error
}

// A Maker is a Planner whose input may have to be completed with a secret.
type Maker interface {
	Planner
	Make(in any, s Secrets) error
}

// Secrets makes what nobody may guess.
type Secrets interface {
	// KeyPair makes a key pair for SSH; kind is rsa or ed25519.
	KeyPair(kind string) (*KeyPair, error)
}

// A KeyPair is a new key pair.
type KeyPair struct {
	// Public is as SSH sends it: RFC 4253, "Public Key Algorithms".
	Public []byte
	// PKCS8 is the private key as DER, Private as it is given to its owner.
	PKCS8   []byte
	Private string
}

// Make completes the input.
func (a Write[In, Out]) Make(in any, s Secrets) error {
	if a.Secret == nil {
		return nil
	}
	return a.Secret(in.(*In), s)
}

// Info describes the action.
func (a Write[In, Out]) Info() Info {
	return Info{a.Name, a.Doc, reflect.TypeFor[In](), reflect.TypeFor[Out](), true}
}

// NewInput gives a pointer to a zero input.
func (a Write[In, Out]) NewInput() any { return new(In) }

// Stage checks the client token, if there is one, and plans.
func (a Write[In, Out]) Stage(tx *state.Txn, input any) (any, error) {
	in := input.(*In)
	token := ""
	if f := fieldsOf(reflect.TypeFor[In]()).token; f != nil && a.Created != nil {
		token = reflect.ValueOf(in).Elem().FieldByIndex(f).String()
	}
	if token == "" {
		return result(a.Plan(tx, in))
	}
	if !validToken(token) {
		return nil, fault.InvalidParameterValue.With(token, "clientToken", "A client token is at most 64 ASCII characters.")
	}
	key, hash := a.Name+"/"+token, requestHash(a.Name, in)
	if used := state.ClientTokens.Get(tx, key); used != nil && tx.Now.Sub(used.Used) < TokenLife {
		if used.Hash != hash {
			return nil, fault.IdempotentParameterMismatch.With()
		}
		return result(a.Replay(tx, in, used.Resource))
	}
	if state.ClientTokens.Len(tx) >= maxTokens {
		return nil, fault.RequestLimitExceeded.With()
	}
	out, err := a.Plan(tx, in)
	if err != nil {
		return nil, err
	}
	state.ClientTokens.Put(tx, &vpc.ClientToken{Key: key, Hash: hash, Resource: a.Created(out), Used: tx.Now})
	return out, nil
}

// TokenLife is how long a client token is remembered.
const TokenLife = 24 * time.Hour

// maxTokens bounds the client tokens of one region of an account that are
// remembered at once. A variable for the test.
var maxTokens = 100_000

func result[T any](out *T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return out, nil
}

func validToken(s string) bool {
	if len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// requestHash is of a request without its token and its DryRun flag.
func requestHash[In any](name string, in *In) string {
	c := *in
	f := fieldsOf(reflect.TypeFor[In]())
	v := reflect.ValueOf(&c).Elem()
	v.FieldByIndex(f.token).SetString("")
	if f.dryRun != nil {
		v.FieldByIndex(f.dryRun).SetBool(false)
	}
	sum := sha256.Sum256([]byte(ec2query.EncodeForm(name, "", &c)))
	return hex.EncodeToString(sum[:16])
}

// Read is an action that answers from one view.
type Read[In, Out any] struct {
	Name, Doc string
	Read      func(c *Call, in *In) (*Out, error)
}

// Info describes the action.
func (a Read[In, Out]) Info() Info {
	return Info{a.Name, a.Doc, reflect.TypeFor[In](), reflect.TypeFor[Out](), false}
}

// NewInput gives a pointer to a zero input.
func (a Read[In, Out]) NewInput() any { return new(In) }

// Answer reads.
func (a Read[In, Out]) Answer(c *Call, in any) (*Reply, error) {
	out, err := a.Read(c, in.(*In))
	if err != nil {
		return nil, err
	}
	return &Reply{Out: out}, nil
}

// IsDryRun reports whether an input asks for a dry run.
func IsDryRun(in any) bool {
	v := reflect.ValueOf(in).Elem()
	f := fieldsOf(v.Type()).dryRun
	return f != nil && v.FieldByIndex(f).Bool()
}
