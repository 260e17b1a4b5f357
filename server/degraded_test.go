package server_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"moat/server"
	"moat/test/clause"
	"moat/trail"
)

// A filter that another program took off is put back. While that fails, status,
// metrics and x-moat-enforced say so, and the audit trail has what happened.
func TestFilterTakenOffIsSaid(t *testing.T) {
	clause.Holds(t, "F65")
	var cfg server.Config
	var metrics *server.Metrics
	s := newSite(t, func(c *server.Config) { cfg, metrics = *c, c.Metrics; cfg.Metrics = nil })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); server.New(s.store, cfg).KeepDeviceEvents(ctx) }()
	defer func() { cancel(); <-done }()
	eni, group := s.furnish()
	if status, code, m := s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil); status != 200 {
		t.Fatalf("attach: %d %s: %s", status, code, m)
	}
	change := func(to string) (enforced, degraded string) {
		t.Helper()
		_, h := s.ec2("Action=CreateTags&ResourceId.1=" + group + "&Tag.1.Key=k&Tag.1.Value=" + to)
		return h.Get("X-Moat-Enforced"), h.Get("X-Moat-Degraded")
	}
	status := func() (out server.Status) {
		t.Helper()
		if code, _, m := s.admin("status", nil, &out); code != 200 || len(out.Interfaces) != 1 {
			t.Fatalf("status: %d %s, %+v", code, m, out)
		}
		return out
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("never: %s; status %+v", what, status())
			}
		}
	}
	metric := func(line string) bool {
		w := httptest.NewRecorder()
		metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return strings.Contains(w.Body.String(), "\n"+line+"\n")
	}
	s.plane.Fail(func(call string) error {
		if call == "Bind" {
			return errors.New("no room")
		}
		return nil
	})
	s.host.TakeOff("", "veth0")
	until("status says that it is degraded", func() bool {
		i := status().Interfaces[0]
		return i.Mode == "degraded" && strings.Contains(i.Error, "another program") && i.Device == "veth0"
	})
	until("the metrics say so", func() bool { return metric("moat_degraded_interfaces 1") })
	until("the answers to calls say so", func() bool { w, d := change("a"); return w == "failed" && d == "yes" })
	s.plane.Fail(nil)
	until("it is put back", func() bool { return !s.passes(eni, 81) })
	until("the answers say that it is enforced", func() bool { w, d := change("b"); return w == "yes" && d == "" && status().State == "yes" })
	if m := status().Interfaces[0].Mode; m != "enforce" || !metric("moat_degraded_interfaces 0") {
		t.Errorf("once it is put back the mode is %s", m)
	}
	has := func(action string) bool {
		all, _, err := s.store.Events(t.Context(), trail.Place{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Action == action && strings.Contains(e.Request, eni) && strings.Contains(e.Request, "veth0") && !e.Time.IsZero() {
				return true
			}
		}
		return false
	}
	until("the audit trail has both", func() bool { return has("DeviceFilterRemoved") && has("DeviceFilterRestored") })
}
