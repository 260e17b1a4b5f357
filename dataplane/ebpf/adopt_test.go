package ebpf

import (
	"net"
	"testing"
	"time"

	"moat/test/clause"
)

// Connections that were open before their interface was enforced go on, where
// that is asked for; the interface may not answer by a rule of its own.
func TestOpenConnectionsAreAdopted(t *testing.T) {
	clause.Holds(t, "F17")
	rs := func() []string { return []string{"in tcp 80 from 10.1.0.0/16", "in tcp 81 from 10.1.0.0/16"} }
	for _, row := range []struct {
		name  string
		adopt time.Duration
		way   func(t *testing.T, l *lab, p *Plane)
		lives bool
	}{
		{"bound, then ruled", time.Hour, func(t *testing.T, l *lab, p *Plane) {
			bind(t, p, l)
			apply(t, p, rules(t, rs()...))
		}, true},
		{"ruled, then bound", time.Hour, func(t *testing.T, l *lab, p *Plane) {
			apply(t, p, rules(t, rs()...))
			bind(t, p, l)
		}, true},
		{"enforced after it observed for longer", time.Hour, func(t *testing.T, l *lab, p *Plane) {
			l.binding.Observe = true
			bind(t, p, l)
			apply(t, p, rules(t, rs()...))
			p.control.NowOffset += 7200
			l.binding.Observe = false
			bind(t, p, l)
		}, true},
		{"after the time for it", time.Hour, func(t *testing.T, l *lab, p *Plane) {
			bind(t, p, l)
			apply(t, p, rules(t, rs()...))
			p.control.NowOffset += 7200
		}, false},
		{"after another rule went", time.Hour, func(t *testing.T, l *lab, p *Plane) {
			bind(t, p, l)
			apply(t, p, rules(t, rs()...))
			apply(t, p, rules(t, rs()[:1]...))
		}, false},
		{"never", 0, func(t *testing.T, l *lab, p *Plane) {
			bind(t, p, l)
			apply(t, p, rules(t, rs()...))
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLab(t)
			serve(t, l.workload, "tcp", ":80")
			serve(t, l.workload, "tcp", ":79")
			before := map[string]net.Conn{}
			for _, port := range []string{"79", "80"} {
				c, err := dial(t, l.client, "tcp", "10.0.0.5:"+port)
				if err != nil || echo(c) != nil {
					t.Fatal(err, "before the device is bound")
				}
				defer c.Close()
				before[port] = c
			}
			p := open(t, Options{Flows4: 1024, Flows6: 1024, Adopt: row.adopt})
			row.way(t, l, p)
			if err := echo(before["80"]); (err == nil) != row.lives {
				t.Errorf("the connection that a rule allows: %v, want it to live: %v", err, row.lives)
			}
			if echo(before["79"]) == nil {
				t.Error("the connection that none does lives")
			}
		})
	}
}

func bind(t *testing.T, p *Plane, l *lab) {
	t.Helper()
	if err := p.Bind(t.Context(), l.binding); err != nil {
		t.Fatal(err)
	}
}
