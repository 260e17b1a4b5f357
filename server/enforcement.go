package server

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"moat/agent"
	"moat/ruleset"
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
	// wait for the others too that have interfaces bound.
	Hosts *store.Hosts
	All   bool
	// Sessions gives the open connections and the ports that the server listens
	// on; nil for those of the process's network namespace.
	Sessions func() ([]agent.Session, []netip.AddrPort, error)
}

// What the header x-moat-enforced says of a write.
const (
	enforcedYes     = "yes"     // the next packet obeys
	enforcedPending = "pending" // soon
	enforcedFailed  = "failed"  // it cannot be put into force; it is tried again
)

// awaitEnforced waits until a revision is in force on this host, and on others
// where that is wanted, and tells how far it is. Where nothing is bound there is nothing to wait for.
func (s *Server) awaitEnforced(ctx context.Context, rev uint64) string {
	e := &s.cfg.Enforcement
	switch {
	case e.Agent == nil && s.cannotEnforce():
		return enforcedFailed
	case (e.Agent == nil || e.Agent.Idle()) && !e.All:
		return enforcedYes
	}
	timeout := time.Duration(0)
	if e.Wait {
		timeout = e.Timeout
	}
	word, _ := s.waitEnforced(ctx, rev, timeout)
	return word
}

// cannotEnforce reports whether something is bound on this host, where nothing
// can be enforced.
func (s *Server) cannotEnforce() bool {
	e := &s.cfg.Enforcement
	return e.Agent == nil && e.Host != "" && len(agent.Bound(s.store.Latest(), e.Host)) > 0
}

// ReportEnforced tells the other hosts which revision is in force on this one,
// until ctx ends. A host on which nothing is bound does so once.
func ReportEnforced(ctx context.Context, a *agent.Agent, hosts *store.Hosts) {
	for first, rev := true, uint64(0); ctx.Err() == nil; {
		if err := a.Wait(ctx, rev+1); err != nil {
			select { // it cannot be put into force, which is tried again
			case <-time.After(500 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		rev = a.Status().Rev
		if first || !a.Idle() {
			hosts.Report(rev)
		}
		first = false
	}
}

// waitEnforced is awaitEnforced with a timeout and the agent's error.
func (s *Server) waitEnforced(ctx context.Context, rev uint64, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	e := &s.cfg.Enforcement
	var err error
	if e.Agent != nil {
		err = e.Agent.Wait(ctx, rev)
	}
	var lost *store.LostError
	if err == nil && e.All {
		err = e.Hosts.Wait(ctx, rev, func(host string) bool { return len(agent.Bound(s.store.Latest(), host)) > 0 })
	}
	switch {
	case err == nil:
		return enforcedYes, nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return enforcedPending, nil
	case errors.As(err, &lost):
		return enforcedPending, err
	}
	return enforcedFailed, err
}

// enforcement gives the metrics of an agent, read when they are asked for.
type enforcement struct{ agent *agent.Agent }

var (
	enforcedRevision   = prometheus.NewDesc("moat_enforced_revision", "The revision that is in force on this host.", nil, nil)
	enforcementFailed  = prometheus.NewDesc("moat_enforcement_failed", "1 while the latest revision cannot be put into force.", nil, nil)
	deniedInterfaces   = prometheus.NewDesc("moat_denied_interfaces", "Interfaces that pass nothing because a change could not be put into force.", nil, nil)
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
