package server_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moat/agent"
	"moat/dataplane"
	"moat/dataplane/sim"
	"moat/server"
	"moat/sigv4"
	"moat/test/clause"
)

// Before there is a database, the host's own root key gets status and detach, from
// the host itself. Nobody else does, and nothing else is answered.
func TestOffline(t *testing.T) {
	clause.Holds(t, "F81")
	host := sim.NewHost(nil)
	host.AddDevice("", "veth0")
	host.AddDevice("", "veth1")
	plane := host.Open(testHost)
	all := []dataplane.Binding{{Interface: "eni-0123456789abcdef0", Device: "veth0"}, {Interface: "eni-0123456789abcdef1", Device: "veth1"}}
	for _, b := range all {
		if err := plane.Bind(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	a := agent.New(agent.Config{Plane: plane, Host: testHost, Releases: filepath.Join(t.TempDir(), "releases")})
	o := &server.Offline{
		Enforcement: server.Enforcement{Agent: a, Host: testHost, Hostname: "box", Kind: "sim"},
		Booting:     agent.Booting{Rev: 7, Bindings: all, Began: time.Now(), Saved: time.Now().Add(-time.Hour)},
		Region:      "us-east-1", Account: account, AccessKeyID: testKey, Secret: testSecret, Reason: "no database",
	}
	remote := false
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if remote {
			r.RemoteAddr = "192.0.2.7:4711"
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}))
		}
		o.ServeHTTP(w, r)
	}))
	defer ts.Close()
	key, secret, service := testKey, testSecret, string(server.ServiceMoat)
	call := func(what, in string, out any) (status int, body string) {
		t.Helper()
		method := "GET"
		if in != "" {
			method = "POST"
		}
		r, _ := http.NewRequest(method, ts.URL+server.AdminPath+what, strings.NewReader(in))
		if key != "" {
			sigv4.Sign(r, []byte(in), sigv4.Credential{AccessKeyID: key, Region: "us-east-1", Service: service}, secret, "", time.Now())
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b := make([]byte, 1<<16)
		n, _ := resp.Body.Read(b)
		if out != nil && resp.StatusCode == 200 {
			if err := json.Unmarshal(b[:n], out); err != nil {
				t.Fatal(err)
			}
		}
		return resp.StatusCode, string(b[:n])
	}
	detach := `{"interface":"eni-0123456789abcdef0"}`
	for what, change := range map[string]func(){
		"no signature":    func() { key = "" },
		"another key":     func() { key = "AKIAIOSFODNN7EXAMPLF" },
		"a wrong secret":  func() { secret = "x" },
		"another service": func() { service = "ec2" },
		"another machine": func() { remote = true },
		"no key here":     func() { o.Secret, secret = "", "" },
	} {
		change()
		for call1, in := range map[string]string{"status": "", "detach": detach} {
			if status, body := call(call1, in, nil); status != 403 && status != 401 && status != 400 {
				t.Errorf("%s: %s: %d %s", what, call1, status, body)
			}
		}
		key, secret, service, remote, o.Secret = testKey, testSecret, string(server.ServiceMoat), false, testSecret
	}
	if n := len(a.Releases()); n != 0 {
		t.Fatalf("%d interfaces were released by callers who may not", n)
	}
	for _, what := range []string{"hits", "wait?rev=1", "log"} {
		if status, body := call(what, "", nil); status != 503 || !strings.Contains(body, "no database") {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	var st server.Status
	if status, body := call("status", "", &st); status != 200 || !st.Stale || st.Unavailable == "" || st.Revision != 7 || st.ViewAge < 3500 || len(st.Interfaces) != 2 || st.Interfaces[0].Mode != "enforce" {
		t.Errorf("status: %d %s", status, body)
	}
	for _, bad := range []string{`{"interface":"web"}`, `{"device":"eth0"}`, `{}`, `{"interface":"eni-0123456789abcdef0","device":"veth0"}`} {
		if status, body := call("detach", bad, nil); status != 400 {
			t.Errorf("detach %s: %d %s", bad, status, body)
		}
	}
	var out server.Bound
	for range 2 {
		out = server.Bound{}
		if status, body := call("detach", detach, &out); status != 200 || !out.Deferred || out.Device != "veth0" {
			t.Errorf("detach: %d %s", status, body)
		}
	}
	if have, err := plane.Bindings(t.Context()); err != nil || len(have) != 1 || have[0].Device != "veth1" || len(a.Releases()) != 1 {
		t.Errorf("bound are %+v, %v, and released %+v", have, err, a.Releases())
	}
	st = server.Status{}
	if call("status", "", &st); len(st.Interfaces) != 2 || st.Interfaces[1].Mode != "released" || st.Interfaces[0].Mode != "enforce" {
		t.Errorf("afterwards: %+v", st.Interfaces)
	}
	// A clock that was set back.
	o.Booting.Saved = time.Now().Add(time.Hour)
	st = server.Status{}
	if call("status", "", &st); st.ViewAge != 0 || !st.Stale {
		t.Errorf("after the clock was set back: age %v, stale %v", st.ViewAge, st.Stale)
	}
}
