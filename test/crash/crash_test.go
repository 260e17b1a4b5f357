// Package crash_test holds moat to its word when the machine does not: the
// process is killed, the disk fills up, the directory cannot be written.
//
// The tests take about half a minute; MOAT_TEST_LONG=10m makes them kill for
// so long. Those of the disk mount file systems of their own, for which they
// must be root.
package crash_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"moat/seal"
	"moat/state"
	"moat/state/statetest"
	"moat/store"
	"moat/test/ec2client"
	"moat/test/moattest"

	"github.com/google/uuid"
)

func TestMain(m *testing.M) { moattest.Main(m) }

// long is how long the tests kill and fill.
func long(short time.Duration) time.Duration {
	if d, err := time.ParseDuration(os.Getenv("MOAT_TEST_LONG")); err == nil {
		return d
	}
	return short
}

// A group is what a test knows of one: its ports, open each by a rule, and its
// tags.
type group struct {
	id    string
	ports map[int]bool
	tags  map[string]string
}

func (g *group) String() string {
	ports := slices.Sorted(maps.Keys(g.ports))
	tags := make([]string, 0, len(g.tags))
	for k, v := range g.tags {
		tags = append(tags, k+"="+v)
	}
	sort.Strings(tags)
	return fmt.Sprint(ports, tags)
}

type groups map[string]*group // by name

func (gs groups) clone() groups {
	out := groups{}
	for name, g := range gs {
		out[name] = &group{g.id, maps.Clone(g.ports), maps.Clone(g.tags)}
	}
	return out
}

// diff tells how got is not want, "" if they are the same.
func (gs groups) diff(got groups) string {
	var b strings.Builder
	for name, g := range gs {
		if o := got[name]; o == nil {
			fmt.Fprintf(&b, "%s is missing; ", name)
		} else if g.String() != o.String() {
			fmt.Fprintf(&b, "%s is %s, want %s; ", name, o, g)
		}
	}
	for name := range got {
		if gs[name] == nil {
			fmt.Fprintf(&b, "%s should not be there; ", name)
		}
	}
	return b.String()
}

// A call is one that a writer makes, with what it does to his groups.
type call struct {
	action string
	params []string
	apply  func(gs groups)
	mark   string // words of its parameters that no other call has
}

// A writer makes calls one after the other, on groups of his own, until one
// is not answered.
type writer struct {
	name   string
	client *ec2client.Client
	r      *rand.Rand
	n      int // counts calls

	groups  groups // as they are if every answered call was carried out, and no other
	pending *call  // the one whose outcome is not known
	acked   map[uint64]*call
	refused func(*ec2client.Reply) bool // whether a refusal is to be expected
}

// next gives a call that must succeed. Each but the deletion changes several
// things, so that half of it would show.
func (w *writer) next() *call {
	w.n++
	mark := fmt.Sprintf("%s-%d", w.name, w.n)
	names := slices.Sorted(maps.Keys(w.groups))
	if len(names) < 3 {
		return &call{
			action: "CreateSecurityGroup", mark: mark,
			params: []string{"GroupName", mark, "GroupDescription", "x", "TagSpecification.1.ResourceType", "security-group",
				"TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "1",
				"TagSpecification.1.Tag.2.Key", "b", "TagSpecification.1.Tag.2.Value", "2"},
			apply: func(gs groups) {
				gs[mark] = &group{ports: map[int]bool{}, tags: map[string]string{"a": "1", "b": "2"}}
			},
		}
	}
	name := names[w.r.IntN(len(names))]
	g := w.groups[name]
	permissions := func(ports []int) []string {
		p := []string{"GroupId", g.id}
		for i, port := range ports {
			at := fmt.Sprintf("IpPermissions.%d.", i+1)
			p = append(p, at+"IpProtocol", "tcp", at+"FromPort", strconv.Itoa(port), at+"ToPort", strconv.Itoa(port),
				at+"IpRanges.1.CidrIp", "10.0.0.0/8", at+"IpRanges.1.Description", mark)
		}
		return p
	}
	switch k := w.r.IntN(10); {
	case k == 0:
		return &call{action: "DeleteSecurityGroup", params: []string{"GroupId", g.id}, mark: g.id, apply: func(gs groups) { delete(gs, name) }}
	case k < 3 && len(g.ports) > 2:
		ports := slices.Sorted(maps.Keys(g.ports))[:2+w.r.IntN(len(g.ports)-2)]
		return &call{action: "RevokeSecurityGroupIngress", params: permissions(ports), mark: mark, apply: func(gs groups) {
			for _, p := range ports {
				delete(gs[name].ports, p)
			}
		}}
	case k < 6:
		params := []string{"Tag.1.Key", "a", "Tag.1.Value", mark, "Tag.2.Key", "c", "Tag.2.Value", mark}
		for i, n := range names {
			params = append(params, fmt.Sprintf("ResourceId.%d", i+1), w.groups[n].id)
		}
		return &call{action: "CreateTags", params: params, mark: mark, apply: func(gs groups) {
			for _, n := range names {
				gs[n].tags["a"], gs[n].tags["c"] = mark, mark
			}
		}}
	default:
		var ports []int
		for port := 1 + w.r.IntN(50000); len(ports) < 2+w.r.IntN(6); port++ {
			if !g.ports[port] {
				ports = append(ports, port)
			}
		}
		return &call{action: "AuthorizeSecurityGroupIngress", params: permissions(ports), mark: mark, apply: func(gs groups) {
			for _, p := range ports {
				gs[name].ports[p] = true
			}
		}}
	}
}

// run makes calls until one is not answered, or ctx ends.
func (w *writer) run(t *testing.T, ctx context.Context) {
	var last uint64
	for ctx.Err() == nil {
		c := w.next()
		w.pending = c
		r, err := w.client.Do(context.Background(), c.action, c.params...)
		if err != nil {
			return
		}
		if !r.OK() {
			w.pending = nil // it was refused: it must not be there
			if w.refused == nil || !w.refused(r) {
				t.Errorf("%s %v: %s", c.action, c.params, r)
				return
			}
			time.Sleep(time.Millisecond)
			continue
		}
		w.pending = nil
		c.apply(w.groups)
		if c.action == "CreateSecurityGroup" {
			w.groups[c.mark].id = r.Get("groupId")
		}
		if r.Rev <= last {
			t.Errorf("a writer's call has revision %d after %d", r.Rev, last)
		}
		last = r.Rev
		w.acked[r.Rev] = c
	}
}

// A load is a server with its writers.
type load struct {
	t       *testing.T
	server  *moattest.Server
	writers []*writer
	head    uint64 // the highest revision that anybody was told
}

func newLoad(t *testing.T, server *moattest.Server, writers int) *load {
	l := &load{t: t, server: server}
	for i := range writers {
		l.writers = append(l.writers, &writer{
			name: fmt.Sprintf("w%d", i), client: ec2client.New(server.Env),
			r: rand.New(rand.NewPCG(uint64(i), 1)), groups: groups{}, acked: map[uint64]*call{},
		})
	}
	return l
}

// start lets the writers write until what it gives is called, which waits for
// their last answers.
func (l *load) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, w := range l.writers {
		wg.Go(func() { w.run(l.t, ctx) })
	}
	return func() {
		cancel()
		wg.Wait()
		for _, w := range l.writers {
			for rev := range w.acked {
				l.head = max(l.head, rev)
			}
		}
	}
}

func (l *load) acked() (n int) {
	for _, w := range l.writers {
		n += len(w.acked)
	}
	return n
}

// check compares what the server says with what the writers know, and settles
// what they do not know.
func (l *load) check() {
	l.t.Helper()
	all, rev := describe(l.t, l.writers[0].client)
	if rev < l.head {
		l.t.Errorf("the server is at revision %d, after it answered with %d", rev, l.head)
	}
	l.head = max(l.head, rev)
	for _, w := range l.writers {
		got := groups{}
		for name, g := range all {
			if strings.HasPrefix(name, w.name+"-") {
				got[name] = g
			}
		}
		diff := w.groups.diff(got)
		if diff != "" && w.pending != nil {
			with := w.groups.clone()
			w.pending.apply(with)
			if other := with.diff(got); other == "" {
				diff = ""
			} else {
				diff += fmt.Sprintf("or, if %s %v was carried out: %s", w.pending.action, w.pending.params, other)
			}
		}
		if diff != "" {
			l.t.Errorf("groups of %s: %s", w.name, diff)
		}
		w.groups, w.pending = got, nil
	}
	if l.t.Failed() {
		l.t.FailNow()
	}
}

// describe reads all groups.
func describe(t *testing.T, c *ec2client.Client) (groups, uint64) {
	t.Helper()
	out := groups{}
	var rev uint64
	for token := ""; ; {
		params := []string{"MaxResults", "1000"}
		if token != "" {
			params = append(params, "NextToken", token)
		}
		r, err := c.Do(t.Context(), "DescribeSecurityGroups", params...)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			XMLName xml.Name
			Items   []struct {
				ID    string `xml:"groupId"`
				Name  string `xml:"groupName"`
				Ports []int  `xml:"ipPermissions>item>fromPort"`
				Tags  []struct {
					Key   string `xml:"key"`
					Value string `xml:"value"`
				} `xml:"tagSet>item"`
			} `xml:"securityGroupInfo>item"`
			Token string `xml:"nextToken"`
		}
		if !r.OK() {
			t.Fatal(r)
		}
		if err := r.Parse(&page); err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			g := &group{id: item.ID, ports: map[int]bool{}, tags: map[string]string{}}
			for _, p := range item.Ports {
				g.ports[p] = true
			}
			for _, tag := range item.Tags {
				g.tags[tag.Key] = tag.Value
			}
			out[item.Name] = g
		}
		rev = r.Rev
		if token = page.Token; token == "" {
			return out, rev
		}
	}
}

// checkBooks opens a copy of a dead server's data directory: every revision
// has its event and its before, the befores lead back to nothing, and every
// answered call is the event of its revision.
func (l *load) checkBooks() {
	t := l.t
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(l.server.Dir)); err != nil {
		t.Fatal(err)
	}
	log, err := store.OpenEmbedded(t.Context(), dir, slog.New(slog.DiscardHandler), func(reason string) { panic(reason) })
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), log, store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	key, err := os.ReadFile(filepath.Join(dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.ParseRing(string(key))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Unlock(t.Context(), ring, false); err != nil {
		t.Fatal(err)
	}
	if v, err := st.Verify(t.Context(), nil); err != nil || v.Found != 0 || v.Head.Rev != st.Latest().Rev || v.Events == 0 {
		t.Fatalf("the chain of events after a crash: %+v, %v", v, err)
	}
	book := func(b store.Book) (all []store.Entry) {
		for {
			page, err := st.Scan(t.Context(), b, uint64(len(all))+1, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page {
				if e.Rev != uint64(len(all))+1 {
					t.Fatalf("%s entry %d follows %d", b, e.Rev, len(all))
				}
				all = append(all, e)
			}
			if len(page) == 0 {
				return all
			}
		}
	}
	head := st.Latest().Rev
	events, befores := book(store.Audit), book(store.Past)
	if head < l.head || uint64(len(events)) != head || uint64(len(befores)) != head {
		t.Fatalf("revision %d with %d events and %d befores; the server had answered with %d", head, len(events), len(befores), l.head)
	}
	rows := statetest.Rows(st.Latest())
	for rev := head; rev > 0; rev-- {
		ev, err := store.DecodeEvent(events[rev-1].Value)
		if err != nil {
			t.Fatal(err)
		}
		before, err := store.DecodeBefore(befores[rev-1].Value)
		if err != nil {
			t.Fatal(err)
		}
		if ev.Rev != rev || len(before.Rows) == 0 || len(ev.Changed) != len(before.Rows) {
			t.Fatalf("event %d says revision %d and that %v changed; the before has %d rows", rev, ev.Rev, ev.Changed, len(before.Rows))
		}
		for i, old := range before.Rows {
			if old.Key != ev.Changed[i] {
				t.Fatalf("revision %d: the event changed %v, the before has %s", rev, ev.Changed, old.Key)
			}
			now, there := rows[old.Key]
			switch {
			case !there && old.Value == nil, there && now == string(old.Value):
				t.Fatalf("revision %d changed nothing of %s", rev, old.Key)
			case old.Value == nil:
				delete(rows, old.Key)
			default:
				rows[old.Key] = string(old.Value)
			}
		}
		for _, w := range l.writers {
			if c := w.acked[rev]; c != nil && (ev.Action != c.action || !strings.Contains(ev.Request, c.mark)) {
				t.Fatalf("%s of %s was answered with revision %d, which is %s %s", c.action, c.mark, rev, ev.Action, ev.Request)
			}
		}
	}
	if len(rows) != 0 {
		t.Fatalf("the befores of all revisions leave %d rows", len(rows))
	}
	if got := len(state.Kinds); got != len(statetest.Kinds) {
		t.Fatalf("%d kinds of records, the tests know %d", got, len(statetest.Kinds))
	}
}

// A server that is killed under load, again and again, keeps every call that
// it answered, whole, with its event.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills for half a minute")
	}
	l := newLoad(t, moattest.Start(t, "--quotas", "off", "--log-level", "warn"), 16)
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	rounds, unknown := 0, 0
	for end := time.Now().Add(long(15 * time.Second)); time.Now().Before(end); rounds++ {
		stop := l.start()
		time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
		l.server.Kill()
		stop()
		for _, w := range l.writers {
			if w.pending != nil {
				unknown++
			}
		}
		if r.IntN(2) == 0 {
			l.checkBooks()
		}
		if r.IntN(2) == 0 {
			killWhileStarting(t, l.server, r)
		}
		l.server.Again()
		l.check()
	}
	if l.server.Stop() != 0 {
		t.Error("the last server did not stop cleanly")
	}
	l.checkBooks()
	t.Logf("killed %d times; %d calls were answered, %d were not; revision %d", rounds, l.acked(), unknown, l.head)
	if rounds < 3 || l.acked() < 100 || unknown == 0 {
		t.Error("too little happened for a proof")
	}
}

// killWhileStarting starts the server and kills it before or just after it is
// ready.
func killWhileStarting(t *testing.T, s *moattest.Server, r *rand.Rand) {
	t.Helper()
	c := exec.Command(moattest.Binary(t), "serve", "--listen", "127.0.0.1:0", "--data-dir", s.Dir)
	c.Env = moattest.CleanEnv()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond)
	c.Process.Kill()
	c.Wait()
}

// mustNotStart runs a server that refuses to start, and gives what it says.
func mustNotStart(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, moattest.Binary(t), "serve", "--listen", "127.0.0.1:0", "--data-dir", dir)
	c.Env = moattest.CleanEnv()
	out, err := c.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		t.Fatalf("the server started: %v\n%s", err, out)
	}
	mustBeClear(t, string(out))
	return string(out)
}

// mustBeClear holds what a process says at its end to the form of a message.
func mustBeClear(t *testing.T, said string) {
	t.Helper()
	for _, word := range []string{"panic:", "goroutine ", "SIGBUS", "SIGSEGV"} {
		if strings.Contains(said, word) {
			t.Errorf("the process ended with a trace, not with a message:\n%.3000s", said)
			return
		}
	}
}

// data gives the data directory on a file system.
func data(fs string) string { return filepath.Join(fs, "moat") }
