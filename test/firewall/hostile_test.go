package firewall_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"moat/sigv4"
	"moat/test/clause"
)

// TestHostile sends real frames from both ends of a workload's link, on a bridge
// and behind a router, with the filter on either end of the link. It checks which
// frames arrive, and that each drop is counted under its reason. The rows are in
// testdata/hostile:
//
//	# title [tags]                           begins a block; tags are 4 or 6 for one family, state, 60x to repeat it, and the clauses that it holds
//	out arp_spoofed  arp spa=N  -- sentence  the workload sends the frame, which is dropped for that reason
//	in  pass:arp     arp        -- sentence  the workload is sent the frame, which passes and is counted as passed without a rule
//	in  pass         udp 7777                the frame passes by a rule, or because its flow is tracked
//	open                                     opens a connection to the workload's port 80; "open >443" opens one from the workload
//	wait 12                                  waits 12 seconds; only the long form runs the rest of the block
//
// "a|b" accepts either reason. The first row of a block must pass: it is the
// legitimate neighbour of the rows that are dropped.
//
// All rows run again with rules that allow everything. Then exactly the rows that
// were dropped only because no rule allowed them pass. Blocks tagged state do not take part,
// because their rows depend on the ones before.
//
//	go test ./test/firewall -run 'TestHostile/bridge,_host' -v
func TestHostile(t *testing.T) {
	clause.Holds(t, "F22", "F27", "F34")
	for _, routed := range []bool{false, true} {
		for _, side := range []string{"host", "workload"} {
			name := "bridge, "
			if routed {
				name = "router, "
			}
			t.Run(name+side, func(t *testing.T) {
				w := newWire(t, routed, side, "--adopt", "0")
				idle := w.bystander()
				checked := []string{"arp", "discovery", "multicast", "dhcp", "errors", "ip", "tcp"}
				t.Run("rules", func(t *testing.T) { w.rows(t, false, checked...) })
				t.Run("ports are used again", w.reuse)
				t.Run("bulk", w.bulk)
				t.Run("rate", w.rate)
				w.call("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", w.w.eni, "SourceDestCheck.Value", "false")
				t.Run("unchecked", func(t *testing.T) { w.rows(t, false, "unchecked") })
				w.call("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", w.w.eni, "SourceDestCheck.Value", "true")
				w.call("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", w.w.eni, "SecurityGroupId.1", w.everything)
				t.Run("every rule", func(t *testing.T) { w.rows(t, true, checked...) })
				t.Run("a bystander is healthy", func(t *testing.T) { w.healthy(t, idle) })
			})
		}
	}
}

// TestHostileExempt checks what each form of --exempt opens, and what it does not.
func TestHostileExempt(t *testing.T) {
	for _, row := range []struct{ file, words string }{
		{"exempt-aws", "aws"},
		{"exempt-address", "203.0.113.7/8080,203.0.113.8,[2001:db8:ec::7]/8080,2001:db8:ec::8"},
	} {
		t.Run(row.file, func(t *testing.T) {
			w := newWire(t, false, "host", "--adopt", "0", "--exempt", row.words)
			w.rows(t, false, row.file)
		})
	}
}

// counts are the counters of an interface.
type counts struct {
	Interface string            `json:"interface"`
	Drops     map[string]uint64 `json:"drops"`
	// Passed counts the packets that passed without a rule, by kind.
	Passed map[string]uint64 `json:"passed_without_rule"`
}

func (w *wire) counts(eni string) (*counts, error) {
	req, err := http.NewRequest(http.MethodGet, w.client.URL+"/moat/v1/status", nil)
	if err != nil {
		return nil, err
	}
	sigv4.Sign(req, nil, sigv4.Credential{AccessKeyID: w.client.AccessKeyID, Region: w.client.Region, Service: "moat"}, w.client.Secret, "", time.Now())
	resp, err := w.client.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var status struct{ Interfaces []*counts }
	if err := json.Unmarshal(body, &status); err != nil {
		return nil, fmt.Errorf("status %d: %w: %s", resp.StatusCode, err, body)
	}
	for _, c := range status.Interfaces {
		if c.Interface == eni {
			return c, nil
		}
	}
	return nil, fmt.Errorf("status does not have %s: %s", eni, body)
}

// A row is one line of a block: a frame, an "open" or a "wait".
type row struct {
	out         bool
	want        string
	frame, what string
	open        string // the port of the connection to open
	wait        time.Duration
}

type block struct {
	title    string
	families []bool // IPv6 or not
	state    bool   // a row's outcome depends on the rows before it
	clauses  []string
	times    int
	rows     []row
}

// blocks reads the blocks of a file in testdata/hostile.
func blocks(t *testing.T, file string) (all []*block) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "hostile", file+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "# "); ok {
			title, tags, _ := strings.Cut(strings.TrimSuffix(title, "]"), " [")
			b := &block{title: title, times: 1}
			for _, tag := range strings.Fields(tags) {
				switch {
				case tag == "state":
					b.state = true
				case tag == "4" || tag == "6":
					b.families = []bool{tag == "6"}
				case tag[0] == 'F':
					b.clauses = append(b.clauses, tag)
				default:
					fmt.Sscanf(tag, "%dx", &b.times)
				}
			}
			if b.families == nil {
				b.families = []bool{false, true}
			}
			all = append(all, b)
			continue
		}
		if line == "" {
			continue
		}
		b := all[len(all)-1]
		line, what, _ := strings.Cut(line, " -- ")
		f := strings.Fields(line)
		r := row{what: strings.TrimSpace(what)}
		switch f[0] {
		case "in", "out":
			r.out, r.want, r.frame = f[0] == "out", f[1], strings.Join(f[2:], " ")
			if r.what == "" {
				r.what = f[0] + " " + r.frame
			}
			if len(b.rows) == 0 && !strings.HasPrefix(r.want, "pass") {
				t.Fatalf("%s: %s: the first row has to pass: %s", file, b.title, line)
			}
		case "open":
			r.open = strings.Join(append(f[1:], "80"), " ")
			r.open, _, _ = strings.Cut(r.open, " ")
		case "wait":
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatalf("%s: %s", file, line)
			}
			r.wait = time.Duration(n) * time.Second
		default:
			t.Fatalf("%s: %s", file, line)
		}
		b.rows = append(b.rows, r)
	}
	return all
}

// rows runs all rows of the files. open says that rules allow everything.
func (w *wire) rows(t *testing.T, open bool, files ...string) {
	// Blocks that wait do so at the same time: the rest of each runs at the end.
	later := map[time.Duration][]func(){}
	for _, file := range files {
		for _, b := range blocks(t, file) {
			if open && b.state {
				continue
			}
			for _, six := range b.families {
				w.port++
				w.play(t, b, six, open, b.rows, later)
			}
		}
	}
	began := time.Now()
	for _, d := range slices.Sorted(maps.Keys(later)) {
		time.Sleep(time.Until(began.Add(d)))
		for _, f := range later[d] {
			f()
		}
	}
	if c, err := w.counts(w.w.eni); err != nil || c.Passed == nil {
		t.Errorf("status has no passed_without_rule: what passes without a rule is not counted (%v)", err)
	}
}

// play runs rows of a block. later collects what remains after a wait; nil means
// that this is such a remainder, which continues its connection.
func (w *wire) play(t *testing.T, b *block, six, open bool, rows []row, later map[time.Duration][]func()) {
	title := b.title
	if len(b.families) > 1 {
		title += map[bool]string{false: ", IPv4", true: ", IPv6"}[six]
	}
	t.Run(title, func(bt *testing.T) {
		clause.Holds(bt, b.clauses...)
		for n := range b.times {
			if later != nil {
				w.from = map[bool]uint32{false: rand.Uint32(), true: rand.Uint32()}
			}
			for i, r := range rows {
				switch {
				case r.wait > 0:
					life, rest := w.life, *b
					rest.title += fmt.Sprintf(", %v later", r.wait)
					if *long {
						later[r.wait] = append(later[r.wait], func() {
							w.life = life
							w.play(t, &rest, six, open, rows[i+1:], nil)
						})
					}
					return
				case r.open != "":
					if err := w.connect(r.open, six); err != nil {
						bt.Fatalf("connection %d: %v", n+1, err)
					}
				case n == 0:
					bt.Run(r.what, func(t *testing.T) {
						if err := w.send(r, open, six, b.state); err != nil {
							t.Errorf("%s %s: %v", map[bool]string{false: "in", true: "out"}[r.out], r.frame, err)
						}
					})
				default:
					if err := w.send(r, open, six, b.state); err != nil {
						bt.Fatalf("connection %d: %s: %v", n+1, r.frame, err)
					}
				}
			}
		}
	})
}

// send sends the frame of a row, three times if that cannot change the outcome,
// and compares what became of it with what the row wants.
func (w *wire) send(r row, open, six, state bool) error {
	want := r.want
	switch {
	case open && want == "no_rule":
		want = "pass"
	case open && strings.Contains(want, "no_rule"):
		return nil // whether it passes depends on which reason applied
	}
	frame, err := w.frame(r.out, six, r.frame)
	if err != nil {
		return err
	}
	frames := [][]byte{frame, frame, frame}
	if state || strings.Contains(r.frame, "dhcp") {
		frames = frames[:1]
	}
	if !state {
		w.pace(r.frame, len(frames))
	}
	before, err := w.counts(w.w.eni)
	if err != nil {
		return err
	}
	arrived, err := w.exchange(r.out, frames...)
	if err != nil {
		return err
	}
	if want == "pass" && arrived == len(frames) {
		return nil
	}
	after, err := w.counts(w.w.eni)
	if err != nil {
		return err
	}
	moved := func(all string, now, then map[string]uint64) bool {
		return slices.ContainsFunc(strings.Split(all, "|"), func(name string) bool { return now[name]-then[name] >= uint64(len(frames)) })
	}
	kind, passes := strings.CutPrefix(want, "pass:")
	passes = passes || want == "pass"
	switch {
	case passes != (arrived == len(frames)) || !passes && arrived > 0:
		return fmt.Errorf("%d of %d arrive, want %s; %s", arrived, len(frames), want, since(before, after))
	case passes && !open && after.Passed != nil && !moved(kind, after.Passed, before.Passed):
		return fmt.Errorf("it passes and is not counted as %s; %s", kind, since(before, after))
	case !passes && !moved(want, after.Drops, before.Drops):
		return fmt.Errorf("it is dropped and not counted as %s; %s", want, since(before, after))
	}
	return nil
}

// since lists the counters that moved.
func since(before, after *counts) string {
	var moved []string
	for _, k := range []struct {
		what      string
		now, then map[string]uint64
	}{{"dropped as", after.Drops, before.Drops}, {"passed as", after.Passed, before.Passed}} {
		for name, n := range k.now {
			if n > k.then[name] {
				moved = append(moved, fmt.Sprintf("%d %s %s", n-k.then[name], k.what, name))
			}
		}
	}
	slices.Sort(moved)
	return "counted: " + strings.Join(append(moved, "nothing else"), ", ")
}

// pace waits where the rows would otherwise exceed the rate limit.
func (w *wire) pace(frame string, n int) {
	if strings.Contains(frame, "client") {
		n *= 16
	}
	if now := time.Now(); now.Sub(w.second) > time.Second {
		w.second, w.spent = now, 0
	}
	if w.spent += n; w.spent > 500 { // the filter's seconds may begin in the middle of these: half the limit
		time.Sleep(time.Second - time.Since(w.second))
		w.second, w.spent = time.Now(), n
	}
}

// connect opens a connection with hand-made segments. Afterwards the next sequence
// number is 1101 for the side that opened it, and 5001 for the other side.
func (w *wire) connect(port string, six bool) error {
	opener := port[0] == '>' // the workload
	for i, text := range []string{"S seq=1000", "SA seq=5000 ack=1001", "A seq=1001 ack=5001", "PA seq=1001 ack=5001 / fill 100", "A seq=5001 ack=1101"} {
		out := opener == (i%5 != 1 && i != 4)
		frame, err := w.frame(out, six, "tcp "+port+" "+text)
		if err != nil {
			return err
		}
		if n, err := w.exchange(out, frame); err != nil || n != 1 {
			return fmt.Errorf("open a connection: segment %d, %s: does not arrive (%v)", i+1, text, err)
		}
	}
	return nil
}
