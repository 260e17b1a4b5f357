package people_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moat/test/moattest"
)

func TestChanging(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	h.script("testdata/change.txt")
}

// facts gives what groups, rules and interfaces are, without the ids of rules.
func (h *house) facts() string {
	h.t.Helper()
	var lines []string
	for _, q := range [][2]string{
		{"describe-security-groups", "SecurityGroups[].[GroupId,GroupName,Tags]"},
		{"describe-security-group-rules", "SecurityGroupRules[].[GroupId,IsEgress,IpProtocol,FromPort,ToPort,CidrIpv4,CidrIpv6,PrefixListId,ReferencedGroupInfo.GroupId,Description,Tags]"},
		{"describe-network-interfaces", "NetworkInterfaces[].[NetworkInterfaceId,Groups]"},
	} {
		out, status := h.run("ec2", q[0], "--query", q[1], "--output", "json")
		if status != 0 {
			h.t.Fatal(out)
		}
		var rows []json.RawMessage
		if err := json.Unmarshal([]byte(out), &rows); err != nil {
			h.t.Fatalf("%s: %v", out, err)
		}
		for _, r := range rows {
			var b bytes.Buffer
			json.Compact(&b, r)
			lines = append(lines, b.String())
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// must runs moat, which has to work.
func (h *house) must(args ...string) string {
	h.t.Helper()
	out, status := h.run(args...)
	if status != 0 {
		h.t.Fatalf("moat %q: %d %s", args, status, out)
	}
	return out
}

// The lines of --explain-aws, run by a shell with the real AWS CLI, bring about
// what the command does; and undo brings back what was before.
func TestExplainedLinesDoTheSame(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	h := newHouse(t)
	h.furnish()
	h.must("allow", "web", "8000-8100", "--from", "10.0.0.0/24", "--description", "it is: a test, of [lists] & more", "-y")
	h.must("ec2", "create-tags", "--resources", ruleID(h, "web", "10.0.0.0/24"), "--tags", "Key=team,Value=a b")
	h.must("allow", "app", "22", "--from", "2001:db8::4/126", "-y")
	h.must("rename", "db", "data", "-y")
	for _, line := range []string{
		"allow web 80,dns,icmp --from 192.0.2.7,2001:db8::1,office,app",
		"allow web https --to 2001:db8:1::/48 --description out;there",
		"deny web 8050 --from 10.0.0.128/25 --split",
		"deny app 22 --from 2001:db8::5 --split",
		"deny app 8050 --from web --split",
		"replace-group web app --everywhere",
		"rm web --detach --instead data",
		"undo",
		"undo now-trick",
	} {
		args := strings.Fields(line)
		if line == "undo now-trick" { // of several kinds of change at once
			from := h.revision() + 1
			h.must("allow", "web", "25", "--from", "10.0.0.1", "-y")
			h.must("deny", "web", "443", "--from", "anywhere", "-y")
			h.must("replace-group", "web", "app", "--everywhere", "-y")
			h.must("ec2", "create-tags", "--resources", groupID(h, "data"), "--tags", "Key=Name,Value=x")
			h.must("ec2", "modify-security-group-rules", "--group-id", groupID(h, "web"), "--security-group-rules",
				"SecurityGroupRuleId="+ruleID(h, "web", "10.0.0.0/24")+",SecurityGroupRule={IpProtocol=udp,FromPort=1,ToPort=2,CidrIpv4=10.0.0.0/24}")
			args = []string{"undo", fmt.Sprint(from, "..")}
		}
		before := h.facts()
		aws := h.must(append(args, "--explain-aws", "--dry-run")...)
		if h.facts() != before {
			t.Fatalf("%s: a dry run changed something", line)
		}
		h.must(append(args, "--yes")...)
		want := h.facts()
		if want == before {
			t.Fatalf("%s changed nothing", line)
		}
		h.must("undo", "-y")
		if got := h.facts(); got != before {
			t.Fatalf("%s, undone:\n%s\nwant\n%s", line, got, before)
		}
		lines := commands(h, aws)
		if len(lines) == 0 {
			t.Fatalf("%s: no lines: %s", line, aws)
		}
		from := h.revision()
		if out, err := h.runAWS(lines); err != nil {
			t.Fatalf("%s: %v\n%s\n%s", line, err, strings.Join(lines, "\n"), out)
		}
		if got := h.facts(); got != want {
			t.Errorf("%s\n%s\nhas brought about\n%s\nwant\n%s", line, strings.Join(lines, "\n"), got, want)
		}
		// And back again, whatever number of calls it was.
		if now := h.revision(); now > from {
			h.must("undo", fmt.Sprint(from+1, ".."), "-y")
		}
		if got := h.facts(); got != before {
			t.Fatalf("%s, its calls undone:\n%s\nwant\n%s", line, got, before)
		}
		if line == "undo" { // there has to be something to undo the next time
			h.must("allow", "web", "26", "--from", "10.0.0.2", "-y")
		}
	}
}

// commands gives the lines that standard output has, without what standard
// error had: those of the AWS CLI and comments.
func commands(h *house, out string) (lines []string) {
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(line, "aws ") || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "new=") {
			lines = append(lines, line)
		}
	}
	return lines
}

// runAWS runs lines in a shell. The AWS CLI gets the address of the server as a
// flag, because versions before 1.29 and 2.13 do not read AWS_ENDPOINT_URL.
func (h *house) runAWS(lines []string) ([]byte, error) {
	h.t.Helper()
	c := exec.Command("sh", "-e")
	c.Stdin = strings.NewReader("aws() { command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; }\n" + strings.Join(lines, "\n"))
	c.Env = h.env
	return c.CombinedOutput()
}

// revision gives the newest revision.
func (h *house) revision() (rev int) {
	h.t.Helper()
	out := h.must("ls", "--json")
	if _, err := fmt.Sscanf(out[strings.Index(out, `"revision"`):], `"revision": %d`, &rev); err != nil {
		h.t.Fatalf("%v: %.200s", err, out)
	}
	return rev
}

func groupID(h *house, name string) string {
	h.t.Helper()
	return strings.TrimSpace(h.must("ec2", "describe-security-groups", "--filters", "Name=group-name,Values="+name, "--query", "SecurityGroups[0].GroupId", "--output", "text"))
}

func ruleID(h *house, group, cidr string) string {
	h.t.Helper()
	return strings.TrimSpace(h.must("ec2", "describe-security-group-rules", "--filters", "Name=group-id,Values="+groupID(h, group), "--query",
		"SecurityGroupRules[?CidrIpv4=='"+cidr+"'].SecurityGroupRuleId", "--output", "text"))
}

// The lines of the long way of renaming are comments; taken for what they are
// they make another group in the place of the first.
func TestTheLongWayOfRenaming(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	h := newHouse(t)
	h.furnish()
	old := groupID(h, "web")
	var lines []string
	for _, l := range commands(h, h.must("rename", "web", "www", "--explain-aws", "--dry-run")) {
		l, ok := strings.CutPrefix(l, "# ")
		if !ok {
			t.Fatalf("a line that is no comment: %s", l)
		}
		if strings.HasPrefix(l, "aws ") || strings.HasPrefix(l, "new=") {
			lines = append(lines, l)
		}
	}
	h.must("rename", "web", "www", "-y")
	want := h.facts()
	h.must("undo", "-y")
	if out, err := h.runAWS(lines); err != nil {
		t.Fatalf("%v\n%s\n%s", err, strings.Join(lines, "\n"), out)
	}
	if got := strings.ReplaceAll(h.facts(), groupID(h, "www"), old); sorted(got) != sorted(want) {
		t.Errorf("%s\nhave brought about\n%s\nwant\n%s", strings.Join(lines, "\n"), got, want)
	}
}

func sorted(s string) string {
	lines := strings.Split(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// A talk is a moat at a terminal that asks.
type talk struct {
	t    *testing.T
	c    *exec.Cmd
	term *os.File
	said bytes.Buffer
	more chan []byte
}

func (h *house) talk(args ...string) *talk {
	h.t.Helper()
	term, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		h.t.Skip("no pseudo-terminals: ", err)
	}
	if err := unix.IoctlSetPointerInt(int(term.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		h.t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(term.Fd()), unix.TIOCGPTN)
	if err != nil {
		h.t.Fatal(err)
	}
	other, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	k := &talk{t: h.t, c: exec.Command(moattest.Binary(h.t), args...), term: term, more: make(chan []byte, 64)}
	k.c.Env = append(append([]string{}, h.env...), "NO_COLOR=1")
	k.c.Stdin, k.c.Stdout, k.c.Stderr = other, other, other
	if err := k.c.Start(); err != nil {
		h.t.Fatal(err)
	}
	other.Close()
	h.t.Cleanup(func() { k.c.Process.Kill(); term.Close() })
	go func() {
		defer close(k.more)
		for r := bufio.NewReader(term); ; {
			b := make([]byte, 4096)
			n, err := r.Read(b)
			if n > 0 {
				k.more <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return k
}

// until waits until it has said a text after what was waited for before, and
// gives all of that.
func (k *talk) until(text string) string {
	k.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		if before, after, ok := strings.Cut(k.said.String(), text); ok {
			k.said.Reset()
			k.said.WriteString(after)
			return strings.ReplaceAll(before+text, "\r\n", "\n")
		}
		select {
		case b, ok := <-k.more:
			if !ok {
				k.t.Fatalf("it ended, and did not say %q: %s", text, &k.said)
			}
			k.said.Write(b)
		case <-timeout:
			k.t.Fatalf("it does not say %q: %s", text, &k.said)
		}
	}
}

// end waits for the end, and gives the rest and the status.
func (k *talk) end() (string, int) {
	for b := range k.more {
		k.said.Write(b)
	}
	k.c.Wait()
	return strings.ReplaceAll(k.said.String(), "\r\n", "\n"), k.c.ProcessState.ExitCode()
}

func (k *talk) answer(text string) { k.term.WriteString(text + "\n") }

// It asks at a terminal, and only yes is yes.
func TestItAsks(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	for _, row := range []struct {
		answer string
		yes    bool
	}{{"", false}, {"n", false}, {"yep", false}, {"y", true}, {"YES", true}} {
		before := h.facts()
		k := h.talk("allow", "web", "22", "--from", "192.0.2."+fmt.Sprint(len(row.answer)+10))
		if said := k.until("Go ahead? [y/N] "); !strings.Contains(said, "+ ssh 22/tcp from 192.0.2.") {
			t.Errorf("it asked before it said what: %s", said)
		}
		if h.facts() != before {
			t.Fatal("it did it before it was told to")
		}
		k.answer(row.answer)
		said, status := k.end()
		if changed := h.facts() != before; changed != row.yes || (status == 0) != row.yes {
			t.Errorf("%q: changed %v, status %d: %s", row.answer, changed, status, said)
		}
		if want := map[bool]string{true: "done: revision ", false: "moat: nothing was changed"}[row.yes]; !strings.Contains(said, want) {
			t.Errorf("%q: it says %q, want …%s…", row.answer, said, want)
		}
	}
}

// What changes while it asks is shown again, and asked again; what has nothing
// to do with it is not.
func TestItAsksAgain(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	h.must("allow", "db", "5432", "--from", "10.0.0.0/8", "-y")
	k := h.talk("deny", "db", "5432", "--from", "10.0.0.0/9", "--split")
	if said := k.until("Go ahead? [y/N] "); !strings.Contains(said, "+ postgres 5432/tcp from 10.128.0.0/9") {
		t.Fatal(said)
	}
	h.must("deny", "db", "5432", "--from", "10.0.0.0/8", "-y")
	h.must("allow", "db", "5432", "--from", "10.0.0.0/7", "-y")
	before := h.facts()
	k.answer("y")
	said := k.until("Go ahead? [y/N] ")
	if !strings.Contains(said, "The state has changed meanwhile; it would do this now:") || !strings.Contains(said, "+ postgres 5432/tcp from 11.0.0.0/8") || h.facts() != before {
		t.Fatalf("%s", said)
	}
	h.must("allow", "web", "9", "--from", "10.0.0.0/8", "-y")
	k.answer("y")
	if said, status := k.end(); status != 0 || !strings.Contains(said, "done: revision ") {
		t.Fatalf("%d %s", status, said)
	}
	if out := h.must("find", "--ip", "10.200.0.0", "--port", "5432"); !strings.Contains(out, "10.128.0.0/9") {
		t.Error(out)
	}
	// An undo is of what was shown, also if something else is the newest by then.
	k = h.talk("undo")
	if said := k.until("Go ahead? [y/N] "); !strings.Contains(said, "postgres 5432/tcp from 10.0.0.0/7") {
		t.Fatal(said)
	}
	h.must("allow", "web", "10", "--from", "10.0.0.0/8", "-y")
	k.answer("y")
	if said, status := k.end(); status != 0 {
		t.Fatalf("%d %s", status, said)
	}
	if out := h.must("ls", "rules"); !strings.Contains(out, "10.0.0.0/7") || !strings.Contains(out, "10/tcp from 10.0.0.0/8") {
		t.Error(out)
	}
}

// Without a terminal it does nothing unless it is told to; JSON is for programs.
func TestItDoesNotAskWhereNobodyIs(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	before := h.facts()
	out, status := h.run("allow", "web", "22", "--from", "192.0.2.7")
	if status != 2 || !strings.Contains(out, "+ ssh 22/tcp from 192.0.2.7/32") || !strings.Contains(out, "--yes does it without asking") || h.facts() != before {
		t.Errorf("%d %s", status, out)
	}
	var plan struct {
		Does     []string
		Digest   string
		Revision int
		Enforced string
	}
	if err := json.Unmarshal([]byte(h.must("allow", "web", "22", "--from", "192.0.2.7", "--json", "--dry-run")), &plan); err != nil || len(plan.Does) != 2 || plan.Digest == "" || h.facts() != before {
		t.Errorf("%v %+v", err, plan)
	}
	at := plan.Revision
	if err := json.Unmarshal([]byte(h.must("allow", "web", "22", "--from", "192.0.2.7", "--json", "--yes")), &plan); err != nil || plan.Revision != at+1 || plan.Enforced != "yes" {
		t.Errorf("%v %+v", err, plan)
	}
	if out, status := h.run("allow", "web", "22", "--from", "192.0.2.8", "--json"); status != 2 || !strings.Contains(out, "--yes or --dry-run") {
		t.Errorf("%d %s", status, out)
	}
}

// Words are completed: groups, then traffic; who is me, anywhere, or a name.
func TestCompletionOfChanges(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	for _, row := range []struct{ line, want, not string }{
		{"allow w", "web", "app"},
		{"allow web s", "ssh", "web"},
		{"allow web 22 --from m", "me", "sg-"},
		{"deny web 22 --from off", "office", "web"},
		{"replace-group web a", "app", "web1"},
		{"rm d", "db", "web"},
		{"rm db --instead d", "default", "web"},
	} {
		out := h.must(append([]string{"__complete"}, strings.Fields(row.line)...)...)
		has := func(word string) bool {
			return slices.ContainsFunc(strings.Split(out, "\n"), func(l string) bool { return l == word || strings.HasPrefix(l, word+"\t") })
		}
		if !has(row.want) || has(row.not) {
			t.Errorf("%s: %s", row.line, out)
		}
	}
}
