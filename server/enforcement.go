package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"moat/agent"
	"moat/ruleset"
	"moat/state"
	"moat/store"
)

// Enforcement is what a server knows of the data plane of its own host.
type Enforcement struct {
	// Agent enforces; nil when nothing can, for a Reason.
	Agent  *agent.Agent
	Reason string
	// Host is the name under which the state knows this host; Hostname is for
	// people.
	Host, Hostname string
	// Options are what the operator of this host sets. New takes those of Agent if
	// there is one.
	Options ruleset.Options
	// ListLost makes status list the interfaces that lost a service because it
	// is not exempt by default any more: the data directory comes from a version
	// that exempted them, and the operator has not said what is exempt.
	ListLost bool
	// Kind is the data plane's.
	Kind string
	// Wait makes writes wait until they are in force, at most for Timeout.
	Wait    bool
	Timeout time.Duration
	// Hosts are those of the cluster; nil for this host alone. All makes writes
	// wait for each host that the change concerns.
	Hosts *store.Hosts
	All   bool
	// Orphans finds what is pinned for data directories that are gone; nil for a data
	// plane that pins nothing.
	Orphans func() ([]OrphanStatus, error)
	// Sessions gives the open connections and the ports that the server listens
	// on; nil for those of the process's network namespace.
	Sessions func() ([]agent.Session, []netip.AddrPort, error)
	// Network reads the devices of a network namespace; nil for the kernel's.
	Network func(netns string) (*agent.Network, error)
}

// What the header x-moat-enforced says of a write.
const (
	enforcedYes     = "yes"     // the next packet obeys
	enforcedPending = "pending" // soon
	enforcedFailed  = "failed"  // it cannot be put into force; it is tried again
	// It is in force, but packets may pass a device without being judged: another
	// program took Moat's off, or stands before it. The header then says failed, beside
	// x-moat-degraded: yes.
	enforcedDegraded = "degraded"
)

// An outcome says how far a revision is in force.
type outcome struct {
	word string // for x-moat-enforced
	// hosts counts those that obey and those that the revision concerns, as "2/3";
	// empty if only this host was waited for.
	hosts string
	// degraded: packets may pass a device of this host without being judged.
	degraded bool
	err      error
}

// replaced is what a call changed, and the view that it made.
type replaced struct {
	changes []state.Change
	view    *state.View
}

// write commits a call, and notes what it replaced if other hosts may have to
// obey.
func (s *Server) write(r *request, w *store.Write) (out any, rev uint64, err error) {
	if err := s.roomForSpace(r); err != nil {
		return nil, 0, err
	}
	if s.cfg.Enforcement.Hosts != nil {
		w.Replaced = func(changes []state.Change, v *state.View) { r.replaced = &replaced{changes, v} }
	}
	return s.store.Write(r.Context(), w)
}

// awaitEnforced waits until a call's revision is in force on this host or, where
// that is wanted, on each host that it concerns.
func (s *Server) awaitEnforced(r *request, rev uint64) outcome {
	e := &s.cfg.Enforcement
	timeout := time.Duration(0)
	if e.Wait {
		timeout = e.Timeout
	}
	var o outcome
	switch {
	case e.All:
		o = s.waitHosts(r.Context(), rev, timeout, s.concerned(r, rev))
	case e.Agent != nil && e.Agent.Idle():
		o.word = enforcedYes
	default:
		o = s.waitHere(r.Context(), rev, timeout)
	}
	r.enforced, r.enforcedHosts, r.degraded = o.word, o.hosts, o.degraded
	return o
}

// concerned returns the hosts that a call's change concerns. If the call changed
// nothing, its answer may rest on any earlier change: then it is all hosts.
func (s *Server) concerned(r *request, rev uint64) []string {
	if c := r.replaced; c != nil && c.view.Rev == rev {
		return slices.Sorted(maps.Keys(ruleset.Hosts(c.view, c.changes)))
	}
	return agent.Hosts(s.store.Latest())
}

// mostReplayed is how many revisions back the rows are looked up that a revision
// replaced.
const mostReplayed = 1000

// concernedBy returns the hosts that a revision concerns, by the rows that it
// replaced; all hosts if these are not known any more.
func (s *Server) concernedBy(ctx context.Context, rev uint64) []string {
	v := s.store.Latest()
	if rev == 0 || rev+mostReplayed < v.Rev {
		return agent.Hosts(v)
	}
	before, after, keys, err := s.store.Between(ctx, rev-1, rev)
	if err != nil {
		return agent.Hosts(v)
	}
	var changes []state.Change
	for _, key := range keys {
		if scope, kind, id := state.ParseKey(key); kind != nil {
			changes = append(changes, state.Change{Scope: scope, Kind: kind, ID: id, Old: kind.Row(before.In(scope), id), New: kind.Row(after.In(scope), id)})
		}
	}
	return slices.Sorted(maps.Keys(ruleset.Hosts(after, changes)))
}

// cannotEnforce reports whether something is bound on this host, where nothing
// can be enforced.
func (s *Server) cannotEnforce() bool {
	e := &s.cfg.Enforcement
	return e.Agent == nil && e.Host != "" && len(agent.Bound(s.store.Latest(), e.Host)) > 0
}

// waitHere waits until a revision is in force on this host.
func (s *Server) waitHere(ctx context.Context, rev uint64, timeout time.Duration) outcome {
	e := &s.cfg.Enforcement
	if e.Agent == nil {
		if s.cannotEnforce() {
			return outcome{word: enforcedFailed, err: errors.New(e.Reason)}
		}
		return outcome{word: enforcedYes}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch err := e.Agent.Wait(ctx, rev); {
	case err == nil:
		if err := e.Agent.Intact(ctx); err != nil {
			return outcome{word: enforcedDegraded, err: err, degraded: true}
		}
		return outcome{word: enforcedYes}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return outcome{word: enforcedPending}
	default:
		return outcome{word: enforcedFailed, err: err, degraded: e.Agent.Intact(ctx) != nil}
	}
}

// waitHosts waits until a revision is in force on hosts, this one or others. It
// does not wait for hosts whose servers do not run.
func (s *Server) waitHosts(ctx context.Context, rev uint64, timeout time.Duration, hosts []string) outcome {
	e := &s.cfg.Enforcement
	began := time.Now()
	others := slices.DeleteFunc(slices.Clone(hosts), func(id string) bool { return id == e.Host })
	o, done := outcome{word: enforcedYes}, 0
	if len(others) < len(hosts) {
		if o = s.waitHere(ctx, rev, timeout); o.word == enforcedYes {
			done++
		}
	}
	ctx, cancel := context.WithDeadline(ctx, began.Add(timeout))
	defer cancel()
	if o.word == enforcedFailed || o.word == enforcedDegraded {
		cancel() // the others are counted, not waited for
	}
	n, err := e.Hosts.Wait(ctx, rev, others)
	if err != nil && o.word == enforcedYes {
		o.word, o.err = enforcedPending, err
	}
	o.hosts = fmt.Sprintf("%d/%d", done+n, len(hosts))
	return o
}

// ReportEnforced tells the other hosts which revision is in force on this one,
// until ctx ends: at once if the revision concerns this host.
func ReportEnforced(ctx context.Context, a *agent.Agent, hosts *store.Hosts) {
	concerned := uint64(0) // the newest revision that was reported as such
	for first, rev := true, uint64(0); ctx.Err() == nil; first = false {
		if err := a.Wait(ctx, rev+1); err != nil {
			select { // it cannot be put into force; the agent tries again
			case <-time.After(500 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		st := a.Status()
		hosts.Report(st.Rev, first || st.Concerned > concerned)
		rev, concerned = st.Rev, st.Concerned
	}
}

// enforcement gives the metrics of an agent, read when they are asked for.
type enforcement struct{ agent *agent.Agent }

var (
	enforcedRevision   = prometheus.NewDesc("moat_enforced_revision", "The revision that is in force on this host.", nil, nil)
	enforcementFailed  = prometheus.NewDesc("moat_enforcement_failed", "1 while the latest revision cannot be put into force.", nil, nil)
	deniedInterfaces   = prometheus.NewDesc("moat_denied_interfaces", "Interfaces that pass nothing because a change could not be put into force.", nil, nil)
	degradedInterfaces = prometheus.NewDesc("moat_degraded_interfaces", "Interfaces whose devices may let packets pass without being judged: another program took Moat's off, or stands before it.", nil, nil)
	boundInterfaces    = prometheus.NewDesc("moat_bound_interfaces", "Interfaces that are bound to devices of this host.", nil, nil)
	droppedPackets     = prometheus.NewDesc("moat_dropped_packets_total", "Packets dropped since the interface was bound, by reason.", []string{"interface", "reason"}, nil)
	packetsWithoutRule = prometheus.NewDesc("moat_packets_without_rule_total", "Packets that passed and need no rule, by kind: arp, nd, mld, dhcp, dhcp6, icmp_error.", []string{"interface", "kind"}, nil)
	exemptPackets      = prometheus.NewDesc("moat_exempt_packets_total", "Packets that an exemption let pass.", []string{"exemption"}, nil)
	trackedFlows       = prometheus.NewDesc("moat_tracked_flows", "Flows that are tracked now.", []string{"interface"}, nil)
	rulePackets        = prometheus.NewDesc("moat_rule_packets_total", "Packets that a rule let pass.", []string{"rule"}, nil)
	ruleBytes          = prometheus.NewDesc("moat_rule_bytes_total", "Bytes that a rule let pass.", []string{"rule"}, nil)
	ruleConnections    = prometheus.NewDesc("moat_rule_connections_total", "Flows that a rule admitted.", []string{"rule"}, nil)
)

// Enforcement adds what an agent enforces and counts.
func (m *Metrics) Enforcement(a *agent.Agent) { m.registry.MustRegister(enforcement{a}) }

// Describe gives nothing: which rules have counters changes all the time.
func (enforcement) Describe(chan<- *prometheus.Desc) {}

// Collect reads the counters.
func (e enforcement) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	s := e.agent.Status()
	failed := 0.0
	if s.Err != nil {
		failed = 1
	}
	gauge(enforcedRevision, float64(s.Rev))
	gauge(enforcementFailed, failed)
	gauge(deniedInterfaces, float64(len(s.Denied)))
	gauge(boundInterfaces, float64(len(s.Bindings)))
	degraded := 0
	for _, b := range s.Bindings {
		if b.Degraded != nil {
			degraded++
		}
	}
	gauge(degradedInterfaces, float64(degraded))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stats, err := e.agent.Plane().Stats(ctx)
	if err != nil {
		return // the gauges above tell that something is wrong
	}
	for id, reasons := range stats.Drops {
		for reason, n := range reasons {
			counter(droppedPackets, n, string(id), reason)
		}
	}
	for _, x := range e.agent.Options().Exempt {
		n := uint64(0)
		for _, id := range x.RuleIDs() {
			n += stats.Rules[id].Packets
		}
		counter(exemptPackets, n, x.String())
	}
	for id, kinds := range stats.WithoutRule {
		for kind, n := range kinds {
			counter(packetsWithoutRule, n, string(id), kind)
		}
	}
	for id, n := range stats.Flows {
		gauge(trackedFlows, float64(n), string(id))
	}
	for id, r := range stats.Rules {
		counter(rulePackets, r.Packets, string(id))
		counter(ruleBytes, r.Bytes, string(id))
		counter(ruleConnections, r.Connections, string(id))
	}
}
