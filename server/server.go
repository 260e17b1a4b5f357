// Package server wires the API: HTTP in front, the store behind, and between
// them the way of a request: receive, authenticate, decode, authorise, plan,
// commit, render. What an action does is told by its own package.
package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"moat/action"
	"moat/agent"
	"moat/awsjson"
	"moat/cloudtrail"
	"moat/ec2"
	"moat/ec2query"
	"moat/fault"
	"moat/guardrail"
	"moat/iam"
	"moat/iamapi"
	"moat/seal"
	"moat/state"
	"moat/store"
	"moat/sts"
	"moat/trail"
	"moat/vpc"
)

// Config says how a server answers.
type Config struct {
	// Region and Account are the default ones: of the root key, and of
	// requests that name none.
	Region  string
	Account vpc.AccountID
	// Regions are those that are served; nil for every one that AWS has.
	Regions []string
	// AnyAuth accepts any credentials; a key of 12 digits chooses the account.
	AnyAuth bool
	// BodyMemory bounds the bytes of bodies whose sender is not known yet; 0 for
	// 64 MiB.
	BodyMemory int
	// AllowedHosts are names of hosts that AnyAuth answers to, beside addresses,
	// the names of loopback and names without a dot.
	AllowedHosts []string
	Quotas       *vpc.Quotas
	// TrustedProxies may say by X-Forwarded-For whom they speak for.
	TrustedProxies []netip.Prefix
	// Upstream is another emulator, to which actions go that Moat does not have;
	// nil for none.
	Upstream *url.URL
	Logger   *slog.Logger
	Metrics  *Metrics
	// Version is the program's, for the header of backups.
	Version string
	// Secrets encrypts what must not be read from the database or from a
	// token; nil for keys that nobody knows and that end with the process.
	Secrets *seal.Ring
	// Enforcement says how the state is enforced on this host.
	Enforcement Enforcement
	// Now is the clock; nil for the real one.
	Now func() time.Time
}

// A Server answers the API on a store.
type Server struct {
	complained, unsaid atomic.Int64 // when complain spoke last, and how often it did not

	cfg      Config
	upstream *upstream
	store    *store.Store
	actions  map[service]map[string]action.Action
	cache    action.Cache

	keys     keyCache
	sessions sessionCache
	callers  callerCache
	uses     keyUses
	refused  *refusals
	issued   *rate
	bodies   *bodyBudget
	started  time.Time
	trials   struct {
		sync.Mutex
		of map[vpc.InterfaceID]*trial
	}
	devices struct {
		sync.Mutex
		network *agent.Network
		read    time.Time
	}
}

// New gives a server.
func New(st *store.Store, cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics()
	}
	if cfg.BodyMemory == 0 {
		cfg.BodyMemory = 64 << 20
	}
	if cfg.Quotas == nil {
		cfg.Quotas = vpc.DefaultQuotas()
	}
	if cfg.Enforcement.Agent == nil && cfg.Enforcement.Reason == "" {
		cfg.Enforcement.Reason = "this server has no data plane"
	}
	if cfg.Secrets == nil {
		cfg.Secrets = newRing()
	}
	if a := cfg.Enforcement.Agent; a != nil {
		cfg.Enforcement.Options = a.Options()
	}
	st.Check(func(tx *state.Txn) error { return guardrail.Check(tx, cfg.Enforcement.Options.Exempt) })
	s := &Server{
		cfg: cfg, store: st, cache: newRenderCache(), started: time.Now(),
		upstream: newUpstream(cfg.Upstream),
		actions: map[service]map[string]action.Action{
			serviceEC2: byName(ec2.Actions), serviceSTS: byName(sts.Actions), serviceIAM: byName(iamapi.Actions),
			serviceCloudTrail: byName(cloudtrail.Actions),
		},
		keys:     keyCache{derived: map[derivation][32]byte{}},
		sessions: sessionCache{opened: map[[32]byte]*iam.Session{}},
		callers:  callerCache{known: map[callerKey]*known{}},
		uses:     keyUses{seen: map[string]*iam.KeyUse{}},
		refused:  newRefusals(),
		issued:   newCredentialsRate(),
		bodies:   newBodyBudget(cfg.BodyMemory),
	}
	if cfg.Enforcement.Agent != nil {
		for _, b := range agent.Bound(st.Latest(), cfg.Enforcement.Host) {
			if !b.Until.IsZero() && !b.Observes(cfg.Now()) {
				s.beginTrial(b.Interface)
			}
		}
	}
	return s
}

// actionOf gives an action of a service, or nil.
func (s *Server) actionOf(of, name string) action.Action { return s.actions[service(of)][name] }

func byName(actions []action.Action) map[string]action.Action {
	m := make(map[string]action.Action, len(actions))
	for _, a := range actions {
		m[a.Info().Name] = a
	}
	return m
}

// A request is what is known of one call on its way.
type request struct {
	*http.Request
	id      string
	began   time.Time
	source  netip.Addr
	body    []byte
	hash    [32]byte
	service service
	form    *ec2query.Form
	action  string
	known   bool   // the action is one that is served
	inJSON  bool   // the body is JSON, and the form empty
	region  string // of the signature
	caller  iam.Principal
	scope   state.Scope
	// credentials are what the caller signed with, found good on the view seen.
	credentials iam.Credentials
	seen        *state.View
	who         *known // the caller, on the view that a read is answered from
	permit      permit
	rev         uint64
	// replaced is what a write changed, if hosts may have to be waited for.
	replaced *replaced
	// enforced says of a write how far it is in force, and enforcedHosts on how
	// many of the hosts that it concerns.
	enforced, enforcedHosts string
	degraded                bool      // packets may pass a device without being judged
	headers                 [3]header // of the reply
	arriving                *arriving // nil once its sender is known, or if it is short
}

// maxBody is the largest body that is read. The form's own limit is the same.
const maxBody = 1 << 20

var bodies = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &request{Request: hr, id: newRequestID(), began: s.cfg.Now(), service: serviceEC2}
	r.source = s.sourceOf(hr)
	if len(hr.TransferEncoding) > 0 {
		// It may have had a Content-Length as well, which net/http does not tell:
		// whoever passed it on may see another end of it. RFC 9112, 6.1.
		w.Header()["Connection"] = []string{"close"}
	}
	defer s.bodyDone(r)
	if s.serveAside(w, r) {
		return
	}
	pooled := bodies.Get().(*[]byte)
	defer bodies.Put(pooled)
	var err error
	if r.body, err = s.readBody(w, r, (*pooled)[:0]); err == nil {
		if cap(r.body) <= keptBody {
			*pooled = r.body[:0]
		}
		r.hash = sha256.Sum256(r.body)
		err = s.answer(w, r)
	}
	if err != nil {
		s.refuse(w, r, err)
	}
}

// bodyDone gives back the memory of a request's body: its sender is known, or it
// is answered.
func (s *Server) bodyDone(r *request) {
	if r.arriving != nil {
		s.bodies.end(r.arriving)
		r.arriving = nil
	}
}

// bodyUpTo is how far a body's buffer may be filled.
func bodyUpTo(r *request, buf []byte) int {
	if r.arriving == nil {
		return min(cap(buf), freeBody)
	}
	return min(cap(buf), r.arriving.held)
}

// senderKnown notes that a request has a good signature.
func (s *Server) senderKnown(r *request) {
	s.bodyDone(r)
	corkOf(r.Context()).signed()
}

// readBody reads a body. What is longer than most is counted, until bodyDone.
func (s *Server) readBody(w http.ResponseWriter, r *request, buf []byte) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, fault.RequestEntityTooLarge.With(maxBody)
	}
	if r.Body == nil || r.Body == http.NoBody {
		return buf, nil
	}
	if cap(buf) < freeBody {
		buf = make([]byte, 0, freeBody)
	}
	for {
		if len(buf) == bodyUpTo(r, buf) {
			if r.arriving == nil {
				r.arriving = &arriving{began: time.Now(), c: http.NewResponseController(w), proven: corkOf(r.Context()).isProven()}
				s.bodies.begin(r.arriving)
				defer func() { s.bodies.read(r.arriving) }()
			}
			grown := min(2*len(buf), maxBody+1)
			if !s.bodies.grow(r.arriving, grown-r.arriving.held) {
				s.cfg.Metrics.throttled.WithLabelValues("bodies").Inc()
				return nil, errBodyGivenUp
			}
			if grown > cap(buf) {
				buf = append(make([]byte, 0, grown), buf...)
			}
		}
		n, err := r.Body.Read(buf[len(buf):bodyUpTo(r, buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > maxBody {
			return nil, fault.RequestEntityTooLarge.With(maxBody)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return buf, nil
			}
			if r.arriving != nil && s.bodies.gaveUp(r.arriving) {
				s.cfg.Metrics.throttled.WithLabelValues("bodies").Inc()
				return nil, errBodyGivenUp
			}
			return nil, fault.MalformedQueryString.Say("The request's body could not be read")
		}
	}
}

// answer takes a request all the way to its reply. The error is what the
// caller is told.
func (s *Server) answer(w http.ResponseWriter, r *request) error {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return fault.MethodNotAllowed.With(r.Method)
	}
	formErr := s.receive(r)
	if err := s.authenticate(r); err != nil {
		return err
	}
	s.senderKnown(r)
	if formErr != nil {
		return formErr
	}
	a, err := s.find(r)
	if err != nil {
		return err
	}
	if a == nil {
		return s.forward(w, r)
	}
	in := a.NewInput()
	if r.inJSON {
		err = awsjson.Decode(r.body, in)
	} else {
		err = r.service.decode(r.form, in)
	}
	if err != nil {
		return err
	}
	switch a := a.(type) {
	case action.Planner:
		if err := s.furnish(r); err != nil {
			return err
		}
		if m, ok := a.(action.Maker); ok && !action.IsDryRun(in) {
			if err := m.Make(in, secrets{}); err != nil {
				return err
			}
		}
		st := &step{request: r, plan: a, in: in}
		call := &changing{steps: []*step{st}}
		plan := s.plan(r, func(*state.Txn) (*changing, error) { return call, nil })
		out, rev, err := s.write(r, &store.Write{
			Call:   s.call(r),
			Plan:   func(tx *state.Txn) (any, error) { err := plan(tx); return st.out, err },
			Event:  s.event(r),
			Tell:   s.tell(r),
			DryRun: action.IsDryRun(in),
		})
		r.rev = rev
		if err != nil {
			return err
		}
		if action.IsDryRun(in) {
			return fault.DryRunOperation.With()
		}
		s.awaitEnforced(r, rev)
		s.reply(w, r, &action.Reply{Out: out})
	case action.Answerer:
		view, err := s.store.View(r.Context())
		if err != nil {
			return err
		}
		r.rev = view.Rev
		if view != r.seen {
			if err := s.identifyAgain(r, view); err != nil {
				return err
			}
		}
		if _, err := s.authorise(r, viewPlace(view), in, r.who); err != nil {
			return err
		}
		if view, err = s.furnished(r, view); err != nil {
			return err
		}
		reply, err := a.Answer(&action.Call{
			Space: view.In(r.scope), View: view, Caller: r.caller, Now: r.began, Quotas: s.cfg.Quotas, Cache: s.cache, Ended: r.Context().Err,
			Context: &callContext{r: r, need: &iam.Need{}}, Random: unforetold, Token: s.token, KeyUse: s.uses.of,
			Events:  func(q *trail.Query) ([]*trail.Event, trail.Place, error) { return s.store.Find(r.Context(), q) },
			Action:  s.actionOf,
			Message: func(encoded string) (string, bool) { return s.openMessage(r.caller.Account, encoded) },
		}, in)
		if err != nil {
			return err
		}
		if action.IsDryRun(in) {
			return fault.DryRunOperation.With()
		}
		if r.service == serviceSTS && issues[r.action] {
			if err := s.noteIssue(r, reply.Out); err != nil {
				return err
			}
		}
		s.reply(w, r, reply)
	}
	return nil
}

// receive reads the form, and from it and the credential scope which service
// is meant, so that even a refusal has the right form.
func (s *Server) receive(r *request) error {
	var err error
	body := r.body
	if target := r.Header["X-Amz-Target"]; len(target) == 1 {
		if name, ok := cloudTrailAction(target[0]); ok {
			r.service, r.action, r.inJSON = serviceCloudTrail, name, true
			if r.Method != http.MethodPost {
				return fault.UnknownOperationException.With(name)
			}
			r.form, err = ec2query.ParseForm("", nil, ec2query.Limits{})
			return err
		}
	}
	if ct := r.Header.Get("Content-Type"); ct != "" && len(body) > 0 && !isForm(ct) {
		err = fault.MalformedQueryString.Say("The request's Content-Type %q is not application/x-www-form-urlencoded", ct)
	} else {
		r.form, err = ec2query.ParseForm(r.URL.RawQuery, body, ec2query.Limits{Bytes: maxBody + 16<<10})
	}
	if err != nil {
		r.form = nil
		return err
	}
	r.action = r.form.Get("Action")
	r.service = serviceOfVersion(r.form.Get("Version"), r.action)
	return nil
}

func isForm(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded")
}

// find gives the action that the request names; nil for one that the upstream
// is to answer.
func (s *Server) find(r *request) (action.Action, error) {
	if r.action == "" {
		return nil, fault.MissingAction.With()
	}
	if r.inJSON != (r.service == serviceCloudTrail) {
		return nil, r.service.unknownAction(r.action, "")
	}
	version := r.form.Get("Version")
	if err := r.service.checkVersion(version, r.action); err != nil {
		return nil, err
	}
	a, ok := s.actions[r.service][r.action]
	if !ok {
		if s.passesOn(r) {
			return nil, nil
		}
		return nil, r.service.unknownAction(r.action, version)
	}
	r.known = true
	return a, nil
}

// furnish makes the space of a request that changes something when it is first
// used, or first used by a moat that gives spaces more than the one before did.
func (s *Server) furnish(r *request) error {
	if err := s.roomForSpace(r); err != nil {
		return err
	}
	if r.service != serviceEC2 || ec2.Furnished(s.store.Latest().In(r.scope)) {
		return nil
	}
	event := s.event(r)
	event.Action, event.Request, event.Service = "Furnish", "", "moat"
	return s.furnishAs(r.Context(), s.call(r), event)
}

// furnished gives the view that a request which only reads is to see: in a space
// that was never used it shows what furnish will make, and stores nothing.
func (s *Server) furnished(r *request, v *state.View) (*state.View, error) {
	if r.service != serviceEC2 && r.service != ServiceMoat || ec2.Furnished(v.In(r.scope)) {
		return v, nil
	}
	if v.Used(r.scope) { // by an earlier moat: it is completed once
		if err := s.furnishAs(r.Context(), s.call(r), store.Event{Service: "moat", Action: "Furnish", Principal: r.caller.ARN}); err != nil {
			return nil, err
		}
		return s.store.View(r.Context())
	}
	call, plan := furnishing(s.call(r))
	return s.store.Preview(v, call, plan)
}

// furnishing gives how a space is furnished. The ids follow from the scope, so
// that what was shown before it was stored is what is stored.
func furnishing(call state.Call) (state.Call, func(*state.Txn) (any, error)) {
	// What a space begins with is not held against a quota.
	call.Quotas = vpc.NoQuotas()
	var ids *rand.ChaCha8
	call.Random = func() uint64 { return ids.Uint64() }
	return call, func(tx *state.Txn) (any, error) {
		ids = rand.NewChaCha8(sha256.Sum256([]byte("moat furnishes " + call.Scope.Region + "/" + string(call.Scope.Account))))
		return nil, ec2.Furnish(tx)
	}
}

// Furnish gives a space what every account begins with, as far as it lacks it.
func (s *Server) Furnish(ctx context.Context, scope state.Scope) error {
	root := iam.Root(scope.Account, vpc.Partition(scope.Region), "")
	return s.furnishAs(ctx, state.Call{Scope: scope, Caller: root, Now: s.cfg.Now(), Random: rand.Uint64},
		store.Event{Service: "moat", Action: "Furnish", Principal: root.ARN})
}

// KeepHouse forgets what has passed its time in every space.
func (s *Server) KeepHouse(ctx context.Context) error {
	now := s.cfg.Now()
	for sp := range s.store.Latest().Spaces() {
		root := iam.Root(sp.Account, vpc.Partition(sp.Region), "")
		// Each write forgets a bounded number; clients may bring more in a day
		// than a few of them would take away.
		for ec2.HasExpired(s.store.Latest().In(sp.Scope), now) {
			_, _, err := s.store.Write(ctx, &store.Write{
				Call:  state.Call{Scope: sp.Scope, Caller: root, Now: now, Random: rand.Uint64},
				Plan:  func(tx *state.Txn) (any, error) { return nil, ec2.Expire(tx) },
				Event: store.Event{Service: "moat", Action: "Expire", Principal: root.ARN},
			})
			if err != nil {
				return err
			}
		}
		for ec2.HasForgottenPeerings(s.store.Latest().In(sp.Scope), now) {
			_, _, err := s.store.Write(ctx, &store.Write{
				Call:  state.Call{Scope: sp.Scope, Caller: root, Now: now, Random: rand.Uint64},
				Plan:  func(tx *state.Txn) (any, error) { return nil, ec2.ForgetPeerings(tx) },
				Event: store.Event{Service: "moat", Action: "ForgetPeerings", Principal: root.ARN},
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Server) furnishAs(ctx context.Context, call state.Call, event store.Event) error {
	call, plan := furnishing(call)
	for {
		_, _, err := s.store.Write(ctx, &store.Write{
			Call:  call,
			Plan:  plan,
			Event: event,
		})
		if err != nil || ec2.Furnished(s.store.Latest().In(call.Scope)) {
			return err
		}
	}
}

func (s *Server) call(r *request) state.Call {
	random := rand.Uint64
	if r.service == serviceIAM {
		random = unforetold // for secrets
	}
	return state.Call{Scope: r.scope, Caller: r.caller, Now: r.began, Quotas: s.cfg.Quotas, Random: random, Seal: s.sealSecret}
}

// userAgent gives what the caller's program calls itself, at a length that an
// event can keep.
func userAgent(r *http.Request) string {
	ua := r.UserAgent()
	return ua[:min(len(ua), 512)]
}

// paramsOf gives the parameters of a request as a form, for the audit trail.
func paramsOf(f *ec2query.Form) string {
	var b strings.Builder
	for k, v := range f.Params() {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		if k == "UserData" || strings.HasSuffix(k, ".UserData") {
			v = "<sensitiveDataRemoved>" // as CloudTrail has it
		}
		b.WriteString(k)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(v))
	}
	return b.String()
}

// newRequestID gives a random UUID.
func newRequestID() string {
	var u uuid.UUID
	a, b := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		u[i], u[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u.String()
}

// fault gives what the caller of a request is told of an error, and logs what
// only the operator should know.
func (s *Server) fault(r *request, err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	var d *denied
	if errors.As(err, &d) {
		return s.denial(r, d)
	}
	var room *store.NoSpaceError
	switch {
	case errors.As(err, &room):
		s.complain("a write is refused", r, err)
		return fault.InsufficientStorage.With(room.Reason)
	case errors.Is(err, store.ErrTooBig):
		return fault.InvalidRequest.Say("%v", err)
	case errors.Is(err, store.ErrClosed):
		return fault.Unavailable.Say("The server is stopping.")
	case errors.Is(err, context.Canceled):
		return fault.Unavailable.Say("The caller went away.")
	case errors.Is(err, store.ErrNoAnswer), errors.Is(err, context.DeadlineExceeded):
		s.complain("etcd does not answer", r, err)
		return fault.Unavailable.Say("The database does not answer; whether the request was carried out is not known.")
	}
	s.cfg.Logger.Error("a request failed", "request", r.id, "action", r.action, "principal", r.caller.ARN, "err", err)
	return fault.InternalError.With()
}

// complain logs what is wrong with the database, and then keeps quiet about it
// for a second: a full disk refuses thousands of requests in one.
func (s *Server) complain(what string, r *request, err error) {
	now := r.began.UnixNano()
	last := s.complained.Load()
	if now-last < int64(time.Second) || !s.complained.CompareAndSwap(last, now) {
		s.unsaid.Add(1)
		return
	}
	s.cfg.Logger.Error(what, "request", r.id, "action", r.action, "err", err, "unsaid", s.unsaid.Swap(0))
}

// sourceOf gives the address of the caller: the peer's, or what a trusted
// proxy says of it.
func (s *Server) sourceOf(r *http.Request) netip.Addr {
	peer := peerOf(r)
	if len(s.cfg.TrustedProxies) == 0 || !s.trusted(peer) {
		return peer
	}
	// From the right: each hop was added by the one after it, so the first
	// that is not a trusted proxy is the caller.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if peer = a.Unmap(); !s.trusted(peer) {
			break
		}
	}
	return peer
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func peerOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
