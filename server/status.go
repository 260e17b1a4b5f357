package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"moat/agent"
	"moat/dataplane"
	"moat/explain"
	"moat/fault"
	"moat/ruleset"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// A Status reply tells how the server and its host stand.
type Status struct {
	Version  string        `json:"version"`
	Region   string        `json:"region"`
	Account  vpc.AccountID `json:"account"`
	Revision uint64        `json:"revision"`
	// ViewAge is how many seconds ago the server's view of the state was known to be
	// the newest. Stale says that this is too long ago: etcd does not answer. Then the
	// host goes on by Revision, and what is said of other hosts is not known to be true.
	ViewAge float64 `json:"view_age_seconds"`
	Stale   bool    `json:"stale,omitempty"`
	// Unavailable says why the server has not reached its database since it started.
	Unavailable string `json:"unavailable,omitempty"`
	Host        string `json:"host"`
	Identity    string `json:"identity,omitempty"`
	// DataPlane is empty when there is none, for a Reason.
	DataPlane string `json:"data_plane"`
	Reason    string `json:"reason,omitempty"`
	// Enforced is the revision in force; State is yes, pending or failed, with
	// Error since a time.
	Enforced uint64     `json:"enforced_revision"`
	State    string     `json:"enforced"`
	Error    string     `json:"error,omitempty"`
	Since    *time.Time `json:"since,omitempty"`
	OnRevoke string     `json:"on_revoke"`
	// Exemptions are what passes whatever the rules say, at every interface.
	Exemptions []ExemptionStatus `json:"exemptions"`
	// LostExemptions are the interfaces bound here that no rule lets open what
	// earlier versions exempted by default. They are listed until the operator
	// sets --exempt.
	LostExemptions []explain.Lost `json:"lost_exemptions,omitempty"`
	// Failsafe are the pinholes of the host's own devices; FailsafeHits counts
	// their packets.
	Failsafe     []string `json:"failsafe,omitempty"`
	FailsafeHits uint64   `json:"failsafe_hits,omitempty"`
	// Guards are patterns of names of devices that pass no IP packet until they
	// are bound, unless GuardError says why they do; GuardDrops counts those
	// packets.
	Guards     []dataplane.Pattern `json:"guards"`
	GuardError string              `json:"guard_error,omitempty"`
	GuardDrops uint64              `json:"guard_drops"`
	Bridges    []BridgeStatus      `json:"bridges,omitempty"`
	// Hosts are those of the cluster that have interfaces bound.
	Hosts      []HostStatus  `json:"hosts,omitempty"`
	Interfaces []BoundStatus `json:"interfaces"`
	// Orphans are what the kernel of this host has pinned for data directories that
	// are gone, or OrphansError says why they are not known.
	Orphans      []OrphanStatus `json:"orphans,omitempty"`
	OrphansError string         `json:"orphans_error,omitempty"`
}

// An OrphanStatus is enforced on by what a server left whose data directory is gone.
type OrphanStatus struct {
	Identity string `json:"identity"`
	// DataDir is where the data directory was, if that is known.
	DataDir string   `json:"data_dir,omitempty"`
	Devices []string `json:"devices"`
	// Memory is what its tables hold, in bytes.
	Memory uint64 `json:"memory_bytes"`
}

// An ExemptionStatus is traffic that the operator exempts from the rules, with
// the packets that it let pass on this host.
type ExemptionStatus struct {
	Option string `json:"option"` // "--exempt aws"
	Text   string `json:"text"`
	// BothWays tells that the other side may open any port of an interface.
	BothWays bool         `json:"both_ways"`
	Rules    []vpc.RuleID `json:"rules"` // under which it is counted
	Packets  uint64       `json:"packets"`
}

// A HostStatus is how a host of the cluster stands. State is
//
//	yes      it enforces the newest revision
//	pending  a newer revision is on its way there
//	stale    its server runs, and has not enforced a newer revision since Since
//	lost     its server does not run, or does not reach etcd: the host goes on by
//	         the rules of Enforced
//	unknown  this server does not reach etcd, and does not know
type HostStatus struct {
	Host     string `json:"host"`
	Identity string `json:"identity"`
	Enforced uint64 `json:"enforced_revision"`
	State    string `json:"enforced"`
	Bound    int    `json:"bound_interfaces"`
	// Since is when the first revision was made that the host does not enforce.
	Since *time.Time `json:"since,omitempty"`
}

// Bad reports whether the host does not enforce what it should. Of an unknown one,
// Stale of the server's own status says enough.
func (h *HostStatus) Bad() bool { return h.State == "stale" || h.State == "lost" }

// A BridgeStatus is a managed bridge, with an Error if a port that is new
// passes packets until the server has seen it.
type BridgeStatus struct {
	Name  string `json:"name"`
	Error string `json:"error,omitempty"`
}

// A BoundStatus is one interface that is bound to a device.
type BoundStatus struct {
	Interface vpc.InterfaceID `json:"interface"`
	Name      string          `json:"name,omitempty"` // its tag Name
	Region    string          `json:"region,omitempty"`
	Account   vpc.AccountID   `json:"account,omitempty"`
	VPC       vpc.VPCID       `json:"vpc,omitempty"`
	Addresses []netip.Addr    `json:"addresses"`
	Groups    []vpc.GroupID   `json:"groups"`
	Host      string          `json:"host"`
	Device    string          `json:"device"`
	Index     int             `json:"index,omitempty"`
	Netns     string          `json:"netns,omitempty"`
	Side      string          `json:"side"`
	// Mode is enforce, trial (enforced until a time, unless that is confirmed),
	// observe, deny (it passes nothing, since a change that
	// takes access away cannot be put into force), gone (the device is not
	// there), degraded (packets may pass without being judged: another program
	// took Moat's off the device, or stands before it), failed, guard (a port of a managed bridge that nobody has bound,
	// which passes nothing), released (it was detached while etcd did not answer),
	// detaching (another server asked for that, and it is not done), or elsewhere
	// (another host's).
	Mode     string     `json:"mode"`
	Until    *time.Time `json:"until,omitempty"`    // a trial's end
	Revision uint64     `json:"revision,omitempty"` // in force
	OnRevoke string     `json:"on_revoke,omitempty"`
	Error    string     `json:"error,omitempty"`
	Flows    uint64     `json:"flows"`
	// Drops counts packets by the reason that they were dropped for, and
	// WithoutRule those that passed and need no rule, by kind: arp, nd, mld, dhcp,
	// dhcp6, icmp_error.
	Drops       map[string]uint64 `json:"drops,omitempty"`
	WithoutRule map[string]uint64 `json:"passed_without_rule,omitempty"`
	// Failsafe are ports that are open whatever the rules say: it is on a device
	// of the host itself.
	Failsafe []string `json:"failsafe,omitempty"`
	// Filter is the device at the host's end of the link that the filter is on, with
	// its network namespace, if the interface is bound to the workload's end.
	Filter      string `json:"filter,omitempty"`
	FilterNetns string `json:"filter_netns,omitempty"`
	// Limit says whom the filter does not bind; empty if it binds everybody.
	Limit string `json:"limit,omitempty"`
	// Probe is there if it was asked for and the interface is bound here.
	Probe *Probe `json:"probe,omitempty"`
}

// A Probe tells whether it is proved that the program at a device judges by the
// rules in force: it was run on packets of which it is known what becomes.
type Probe struct {
	// Revision made the ruleset; later ones have changed nothing here.
	Revision uint64 `json:"revision,omitempty"`
	// Passed and Dropped count the packets, as they had to.
	Passed  int `json:"passed"`
	Dropped int `json:"dropped"`
	// Error says why it is not proved.
	Error string `json:"error,omitempty"`
}

// probe probes an interface of this host.
func (s *Server) probe(ctx context.Context, id vpc.InterfaceID) *Probe {
	p, err := s.cfg.Enforcement.Agent.Probe(ctx, id)
	if err != nil {
		return &Probe{Error: err.Error()}
	}
	return &Probe{Revision: p.Revision, Passed: p.Passed, Dropped: p.Dropped}
}

// Interfaces is a reply with what is bound.
type Interfaces struct {
	Interfaces []BoundStatus `json:"interfaces"`
}

// describeDevices gives the interfaces that are bound to devices, of every
// host and account.
func (s *Server) describeDevices(r *request) (any, error) {
	view, _ := s.viewAtHand(r.Context())
	r.rev = view.Rev
	return &Interfaces{s.bound(r.Context(), view, false)}, nil
}

// bound gives what is bound, on every host or here.
func (s *Server) bound(ctx context.Context, view *state.View, here bool) []BoundStatus {
	e := &s.cfg.Enforcement
	var st agent.Status
	stats := &dataplane.Stats{}
	if e.Agent != nil {
		_ = e.Agent.CheckFilters(ctx) // the status has what it finds
		st = e.Agent.Status()
		if got, err := e.Agent.Plane().Stats(ctx); err == nil {
			stats = got
		}
	}
	out := []BoundStatus{}
	for space := range view.Spaces() {
		rows := state.Interfaces.All(space)
		if here {
			rows = state.Interfaces.By(space, state.InterfacesByHost, e.Host)
		}
		for i := range rows {
			if i.Attachment == nil || i.Attachment.Device == nil {
				continue
			}
			d := i.Attachment.Device
			b := BoundStatus{
				Interface: i.ID, Name: nameOf(i.Tags), Region: space.Region, Account: space.Account, VPC: i.VPC,
				Addresses: slices.Concat(i.Addresses, i.IPv6), Groups: i.Groups,
				Host: d.Host, Device: d.Name, Netns: d.Netns, Side: "host", Mode: "enforce",
				Flows: stats.Flows[i.ID], Drops: stats.Drops[i.ID], WithoutRule: stats.WithoutRule[i.ID],
			}
			if d.Workload {
				b.Side = "workload"
			}
			if e.Agent != nil && d.Host == e.Host && ruleset.HostsOwn(i) {
				b.Failsafe = pinholes(e.Options.Failsafe)
			}
			k := dataplane.Binding{Observe: d.Observe, Until: d.Until}
			switch now := s.cfg.Now(); {
			case k.Observes(now):
				b.Mode = "observe"
			case !d.Until.IsZero():
				b.Mode, b.Until = "trial", &d.Until
			}
			s.standing(&b, &st)
			if d.Detaching {
				b.Mode, b.Error = "detaching", ""
			}
			if released := s.releasedHere(i.ID); released != "" && d.Host == e.Host {
				b.Mode, b.Error = "released", released
			}
			out = append(out, b)
		}
	}
	for _, u := range st.Unknown {
		out = append(out, BoundStatus{
			Interface: u.Interface, Addresses: []netip.Addr{}, Groups: []vpc.GroupID{}, Host: e.Host, Device: u.Device, Index: u.Index, Netns: u.Netns,
			Side: sideName(u.Side), Mode: "deny", Error: "the state does not have it: it is older than what was in force when the server started",
			Drops: stats.Drops[u.Interface], WithoutRule: stats.WithoutRule[u.Interface],
		})
	}
	for _, g := range st.Guarded {
		out = append(out, BoundStatus{
			Interface: g.Interface, Addresses: []netip.Addr{}, Groups: []vpc.GroupID{}, Host: cmp.Or(e.Hostname, e.Host), Device: g.Device,
			Side: sideName(g.Side), Mode: "guard", Drops: stats.Drops[g.Interface],
		})
	}
	slices.SortFunc(out, func(a, b BoundStatus) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Netns, b.Netns), cmp.Compare(a.Device, b.Device))
	})
	return out
}

func pinholes(all []ruleset.Pinhole) (out []string) {
	for _, p := range all {
		out = append(out, p.String())
	}
	return out
}

func nameOf(tags vpc.Tags) string {
	for _, t := range tags {
		if t.Key == "Name" {
			return t.Value
		}
	}
	return ""
}

// sideLimit says whom a filter at the workload's own end does not bind.
const sideLimit = "the filter is at the workload's own end of the link: a process there with CAP_NET_RAW can send past it and read what it drops"

// filterOf returns where the filter of a binding is, if that is another device, and
// whom it does not bind.
func filterOf(k *agent.BindingStatus) (device, netns, limit string) {
	if k.CanBypass() {
		return "", "", sideLimit
	}
	if k.Index != 0 && k.Filter.Side != k.Side {
		return k.Filter.Device, k.Filter.Netns, ""
	}
	return "", "", ""
}

// standing fills in how far the agent is with a binding.
func (s *Server) standing(b *BoundStatus, st *agent.Status) {
	e := &s.cfg.Enforcement
	switch {
	case b.Host != e.Host:
		b.Mode = "elsewhere"
		return
	case e.Agent == nil:
		b.Mode, b.Error = "failed", e.Reason
		return
	}
	b.Host = cmp.Or(e.Hostname, b.Host)
	if st.Ruleset != nil {
		if i := st.Ruleset.Interface(b.Interface); i != nil {
			b.OnRevoke = i.OnRevoke.String()
		}
	}
	at := slices.IndexFunc(st.Bindings, func(k agent.BindingStatus) bool { return k.Interface == b.Interface })
	if at >= 0 {
		b.Filter, b.FilterNetns, b.Limit = filterOf(&st.Bindings[at])
	}
	switch {
	case slices.Contains(st.Denied, b.Interface):
		b.Mode, b.Error = "deny", fmt.Sprint(st.Err)
	case at >= 0 && st.Bindings[at].Doubt != nil && st.Bindings[at].Err == nil && st.Bindings[at].Degraded == nil:
		b.Mode, b.Error = "deny", st.Bindings[at].Doubt.Error()+": detach the interface, and attach it to its device"
		b.Device, b.Index, b.Revision = st.Bindings[at].Device, st.Bindings[at].Index, st.Rev
	case at < 0:
		b.Mode, b.Error = "failed", "it is not bound yet"
		if st.Err != nil {
			b.Error = st.Err.Error()
		}
	case st.Bindings[at].Degraded != nil:
		b.Mode, b.Error = "degraded", errors.Join(st.Bindings[at].Degraded, st.Bindings[at].Err).Error()
		b.Device, b.Index, b.Revision = st.Bindings[at].Device, st.Bindings[at].Index, st.Rev
	case st.Bindings[at].Err != nil:
		b.Mode, b.Error = "failed", st.Bindings[at].Err.Error()
		if isGone(st.Bindings[at].Err) {
			b.Mode = "gone"
		}
	default:
		b.Device, b.Index, b.Revision = st.Bindings[at].Device, st.Bindings[at].Index, st.Rev
	}
}

// describeStatus tells how server and host stand; with ?probe, what a probe of
// each device finds.
func (s *Server) describeStatus(r *request) (any, error) {
	view, newest := s.viewAtHand(r.Context())
	r.rev = view.Rev
	e, age := &s.cfg.Enforcement, s.store.Age()
	out := &Status{
		ViewAge: age.Seconds(), Stale: age > StaleAfter,
		Version: s.cfg.Version, Region: s.cfg.Region, Account: s.cfg.Account, Revision: view.Rev,
		Host: e.Hostname, Identity: e.Host, DataPlane: e.Kind, Reason: e.Reason,
		Exemptions: []ExemptionStatus{}, Guards: []dataplane.Pattern{}, Interfaces: s.bound(r.Context(), view, true),
	}
	for _, x := range e.Options.Exempt {
		out.Exemptions = append(out.Exemptions, ExemptionStatus{Option: x.Option(), Text: x.Text(), BothWays: x.BothWays(), Rules: x.RuleIDs()})
	}
	out.LostExemptions = s.lostExemptions(view)
	if e.Hosts != nil {
		out.Hosts = s.hostsOf(r.Context(), view, newest)
	}
	if e.Agent == nil {
		if out.State = enforcedYes; s.cannotEnforce() {
			out.State = enforcedFailed
		}
		return out, nil
	}
	out.addOrphans(e)
	if r.URL.Query().Has("probe") {
		for i := range out.Interfaces {
			switch b := &out.Interfaces[i]; b.Mode {
			case "enforce", "trial", "observe":
				b.Probe = s.probe(r.Context(), b.Interface)
			}
		}
	}
	o := &e.Options
	out.OnRevoke = o.OnRevoke.String()
	st := e.Agent.Status()
	out.Failsafe = pinholes(o.Failsafe)
	out.Guards = append(out.Guards, e.Agent.Guards()...)
	if st.Unguarded != nil {
		out.GuardError = st.Unguarded.Error()
	}
	for _, b := range st.Bridges {
		k := BridgeStatus{Name: b.Name}
		if b.Err != nil {
			k.Error = b.Err.Error()
		}
		out.Bridges = append(out.Bridges, k)
	}
	if stats, err := e.Agent.Plane().Stats(r.Context()); err == nil {
		out.GuardDrops = stats.TurnedAway
		for _, p := range o.Failsafe {
			out.FailsafeHits += stats.Rules[p.RuleID()].Packets
		}
		for i := range out.Exemptions {
			for _, id := range out.Exemptions[i].Rules {
				out.Exemptions[i].Packets += stats.Rules[id].Packets
			}
		}
	}
	out.Enforced, out.State = st.Rev, enforcedPending
	switch {
	case st.Err != nil:
		out.State, out.Error, out.Since = enforcedFailed, st.Err.Error(), &st.Since
	case st.Rev >= view.Rev:
		out.State = enforcedYes
		if slices.ContainsFunc(st.Bindings, func(b agent.BindingStatus) bool { return b.Degraded != nil }) {
			out.State = enforcedDegraded
		}
	}
	return out, nil
}

func (st *Status) addOrphans(e *Enforcement) {
	if e.Orphans == nil {
		return
	}
	var err error
	if st.Orphans, err = e.Orphans(); err != nil {
		st.OrphansError = err.Error()
	}
}

// StaleAfter is how old a view may be that counts as current.
const StaleAfter = 5 * time.Second

// viewPatience is how long an answer that the host can give by itself waits for
// etcd, and askPatience how long it waits for more once etcd has answered.
const (
	viewPatience = 50 * time.Millisecond
	askPatience  = 2 * time.Second
)

// viewAtHand returns the newest view or, if etcd does not answer soon, the one at
// hand.
func (s *Server) viewAtHand(ctx context.Context) (v *state.View, newest bool) {
	if s.store.Age() <= StaleAfter {
		ctx, cancel := context.WithTimeout(ctx, viewPatience)
		defer cancel()
		if v, err := s.store.View(ctx); err == nil {
			return v, true
		}
	}
	return s.store.Latest(), false
}

// behindAfter is how long a host whose server runs may take to report a revision
// before it counts as stale.
const behindAfter = 10 * time.Second

// hostsOf returns the hosts of the cluster that have interfaces bound. Where etcd
// answers, which newest says, it asks etcd what they report.
func (s *Server) hostsOf(ctx context.Context, view *state.View, newest bool) (out []HostStatus) {
	e := &s.cfg.Enforcement
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	if !newest {
		cancel()
	}
	reports, err := e.Hosts.Ask(ctx)
	for _, id := range agent.Hosts(view) {
		k := HostStatus{Identity: id, State: "lost", Bound: len(agent.Bound(view, id))}
		for _, h := range reports {
			if h.ID != id {
				continue
			}
			k.Host, k.Enforced = h.Name, h.Rev
			switch {
			case h.Lost:
			case h.Rev < view.Rev:
				k.State = enforcedPending
				if at, ok := s.madeAt(ctx, h.Rev+1); ok && s.cfg.Now().Sub(at) > behindAfter {
					k.State, k.Since = "stale", &at
				}
			default:
				k.State = enforcedYes
			}
		}
		switch {
		case id == e.Host && e.Agent != nil:
			// It knows of itself without etcd.
			st := e.Agent.Status()
			k.Host, k.Enforced, k.State = e.Hostname, st.Rev, enforcedYes
			if st.Rev < view.Rev {
				k.State = enforcedPending
			}
		case err != nil:
			k.State = "unknown"
		}
		out = append(out, k)
	}
	return out
}

// madeAt returns when a revision was made, if the history has it.
func (s *Server) madeAt(ctx context.Context, rev uint64) (time.Time, bool) {
	entries, err := s.store.Scan(ctx, store.Past, rev, 1)
	if err != nil || len(entries) == 0 || entries[0].Rev != rev {
		return time.Time{}, false
	}
	was, err := store.DecodeBefore(entries[0].Value)
	if err != nil {
		return time.Time{}, false
	}
	return was.Time, true
}

// lostExemptions lists the interfaces bound here that an upgrade took services
// from.
func (s *Server) lostExemptions(view *state.View) []explain.Lost {
	e := &s.cfg.Enforcement
	if !e.ListLost {
		return nil
	}
	var locals []ruleset.Local
	for _, b := range agent.Bound(view, e.Host) {
		locals = append(locals, ruleset.Local{Scope: b.Scope, ID: b.Interface})
	}
	return explain.LostServices(view, locals, e.Options)
}

// WarnOfLostExemptions logs the interfaces bound here that an upgrade took
// services from, and what to do.
func (s *Server) WarnOfLostExemptions() {
	lost := s.lostExemptions(s.store.Latest())
	for _, l := range lost {
		s.cfg.Logger.Warn("no rule lets this interface open what earlier versions of Moat exempted by default: "+strings.Join(l.Services, ", "), "interface", l.Interface)
	}
	if len(lost) > 0 {
		s.cfg.Logger.Warn("Moat no longer exempts anything by default. To let every interface open DNS, metadata and time, start the server with --exempt aws. "+
			"To let one interface open one of them, add an outbound rule: moat status prints an example. To keep them closed and hide this warning, start the server with --exempt none", "host", s.cfg.Enforcement.Host)
	}
}

// Waited is a reply that tells how far a revision is in force.
type Waited struct {
	Revision uint64 `json:"revision"`
	Enforced string `json:"enforced"`
	// EnforcedHosts counts the hosts that obey and those that the revision
	// concerns, as "2/3"; empty if only the server's host was waited for.
	EnforcedHosts string `json:"enforced_hosts,omitempty"`
	InForce       uint64 `json:"enforced_revision"`
	Error         string `json:"error,omitempty"`
}

// longestWait bounds one call; who wants to wait longer asks again.
const longestWait = 30 * time.Second

// waitFor answers when ?rev= is in force, or after ?timeout=. With ?hosts=all it
// waits for each host that the revision concerns.
func (s *Server) waitFor(r *request) (any, error) {
	q := r.URL.Query()
	rev, err := strconv.ParseUint(q.Get("rev"), 10, 64)
	if err != nil {
		return nil, fault.InvalidParameterValue.With(q.Get("rev"), "rev", "It is the number of a revision.")
	}
	timeout := s.cfg.Enforcement.Timeout
	if t := q.Get("timeout"); t != "" {
		if timeout, err = time.ParseDuration(t); err != nil || timeout < 0 {
			return nil, fault.InvalidParameterValue.With(t, "timeout", "It is a duration such as 5s.")
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(timeout, longestWait))
	defer cancel()
	e := &s.cfg.Enforcement
	out, o := &Waited{Revision: rev}, outcome{word: enforcedPending}
	if _, err := s.store.WaitRev(ctx, rev); err == nil {
		left := timeout
		if deadline, ok := ctx.Deadline(); ok {
			left = time.Until(deadline)
		}
		if e.All || e.Hosts != nil && q.Get("hosts") == "all" {
			o = s.waitHosts(ctx, rev, left, s.concernedBy(ctx, rev))
		} else {
			o = s.waitHere(ctx, rev, left)
		}
	}
	out.Enforced, out.EnforcedHosts = o.word, o.hosts
	if o.err != nil {
		out.Error = o.err.Error()
	}
	if e.Agent != nil {
		out.InForce = e.Agent.Status().Rev
	}
	return out, nil
}

// Hits is a reply with the counters of rules.
type Hits struct {
	Rules []RuleHits `json:"rules"`
}

// RuleHits are a rule's counters, on the server's host.
type RuleHits struct {
	Rule vpc.RuleID `json:"rule"`
	// Group is the name of its group, and Text what it allows, as far as the
	// rule is still there.
	Group       string     `json:"group,omitempty"`
	Text        string     `json:"text,omitempty"`
	Direction   string     `json:"direction"`
	Packets     uint64     `json:"packets"`
	Bytes       uint64     `json:"bytes"`
	Connections uint64     `json:"connections"`
	LastHit     *time.Time `json:"last_hit,omitempty"`
}

func (s *Server) describeHits(r *request) (any, error) {
	a, err := s.agent()
	if err != nil {
		return nil, err
	}
	stats, err := a.Plane().Stats(r.Context())
	if err != nil {
		return nil, err
	}
	view, err := s.store.View(r.Context())
	if err != nil {
		return nil, err
	}
	out := &Hits{Rules: []RuleHits{}}
	for _, id := range slices.Sorted(maps.Keys(stats.Rules)) {
		n := stats.Rules[id]
		h := RuleHits{Rule: id, Direction: n.Direction.String(), Packets: n.Packets, Bytes: n.Bytes, Connections: n.Connections}
		if !n.LastHit.IsZero() {
			h.LastHit = &n.LastHit
		}
		if option, text, ok := ruleset.OptionOf(id); ok {
			h.Group, h.Text = option, text
		}
		for space := range view.Spaces() {
			if g, i := state.RuleByID(space, id); g != nil {
				h.Group, h.Text = g.Name, explain.RuleText(&g.Rules[i])
			}
		}
		out.Rules = append(out.Rules, h)
	}
	return out, nil
}
