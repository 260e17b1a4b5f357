// Package people tests moat's commands for people: the program that they run,
// against a server that runs.
package people_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moat/test/moattest"
)

var update = flag.Bool("update", false, "write the expected output of testdata")

func TestMain(m *testing.M) { moattest.Main(m) }

// A house is a server with the person who runs commands at it.
type house struct {
	t      *testing.T
	server *moattest.Server
	env    []string
	ids    map[string]string // id → what to call it in texts
}

func newHouse(t *testing.T, args ...string) *house {
	h := &house{t: t, server: moattest.Start(t, args...), ids: map[string]string{}}
	h.env = append(moattest.CleanEnv(), "TZ=UTC", "HOME="+t.TempDir())
	for k, v := range h.server.Env {
		h.env = append(h.env, k+"="+v)
	}
	return h
}

// run runs moat with words and gives what it wrote, both together, and its
// status.
func (h *house) run(args ...string) (out string, status int) {
	h.t.Helper()
	c := exec.Command(moattest.Binary(h.t), args...)
	c.Env = h.env
	b, err := c.CombinedOutput()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(b), e.ExitCode()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b), 0
}

// ec2 makes a call that has to work, and gives what a query finds in the answer.
// What it finds is called name in texts.
func (h *house) ec2(name, query, line string, args ...string) string {
	h.t.Helper()
	all := append(append([]string{"ec2"}, strings.Fields(line)...), args...)
	out, status := h.run(append(all, "--query", query, "--output", "text")...)
	out = strings.TrimSpace(out)
	if status != 0 {
		h.t.Fatalf("moat %q: %d %s", all, status, out)
	}
	if name != "" {
		h.ids[out] = "<" + name + ">"
	}
	return out
}

var (
	anyID  = regexp.MustCompile(`\b(sg|sgr|eni|i|pl|vpc|subnet|rtb|igw|dopt|acl|aclassoc|rtbassoc|vol|eni-attach)-[0-9a-f]{17}\b`)
	anyAge = regexp.MustCompile(`just now|\d+ (s|min) ago`)
	// How wide an age is depends on the machine's speed.
	beforeDot = regexp.MustCompile(` {2,}·`)
	// Public addresses are drawn at random.
	benchmarking = regexp.MustCompile(`\b198\.1[89]\.\d+\.\d+\b`)
	clock        = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`)
)

// tidy replaces what is different each time. Names for ids are as long as ids,
// so that columns stay where they are.
func (h *house) tidy(text string) string {
	text = anyID.ReplaceAllStringFunc(text, func(id string) string {
		name, ok := h.ids[id]
		if !ok {
			name = "<" + id[:strings.IndexByte(id, '-')] + ">"
		}
		return name + strings.Repeat("_", max(0, len(id)-len(name)))
	})
	text = clock.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat("T", 19) })
	text = benchmarking.ReplaceAllString(text, "198.18.x.x")
	return beforeDot.ReplaceAllString(anyAge.ReplaceAllString(text, "just now"), "  ·")
}

// A script has lines "$ moat …", each with what it writes and, in brackets, a
// status other than 0.
func (h *house) script(file string) {
	h.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		h.t.Fatal(err)
	}
	var got strings.Builder
	n := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		if strings.HasPrefix(line, "#") {
			got.WriteString(line + "\n")
		}
		command, ok := strings.CutPrefix(line, "$ moat ")
		if !ok {
			continue
		}
		n++
		out, status := h.run(shellWords(command)...)
		got.WriteString(line + "\n" + h.tidy(out))
		if status != 0 {
			fmt.Fprintf(&got, "[%d]\n", status)
		}
		got.WriteString("\n")
	}
	if n == 0 {
		h.t.Fatalf("%s has no command", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			h.t.Fatal(err)
		}
		return
	}
	if got.String() != string(b) {
		h.t.Errorf("%s: want\n%s\ngot\n%s", file, firstDifference(string(b), got.String()), firstDifference(got.String(), string(b)))
	}
}

// firstDifference gives some lines of a text from where it differs from b.
func firstDifference(a, b string) string {
	al, bl := strings.Split(a, "\n"), strings.Split(b, "\n")
	i := 0
	for i < len(al) && i < len(bl) && al[i] == bl[i] {
		i++
	}
	return strings.Join(al[max(0, i-3):min(len(al), i+12)], "\n")
}

// shellWords parts a line, with single quotes.
func shellWords(line string) (args []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

// furnish makes a small shop: web in front, app behind it, a database, and an
// office whose people may log in.
func (h *house) furnish() {
	h.t.Helper()
	v := h.ec2("shop", "Vpcs[0].VpcId", "describe-vpcs")
	h.ec2("", "Return", "create-tags --resources "+v+" --tags Key=Name,Value=shop")
	subnet := h.ec2("", "Subnets[?CidrBlock=='172.31.0.0/20'].SubnetId", "describe-subnets")
	web := h.ec2("web", "GroupId", "create-security-group --group-name web", "--description", "Web servers")
	app := h.ec2("app", "GroupId", "create-security-group --group-name app", "--description", "The application", "--tag-specifications", "ResourceType=security-group,Tags=[{Key=tier,Value=app}]")
	db := h.ec2("db", "GroupId", "create-security-group --group-name db", "--description", "Database")
	office := h.ec2("office", "PrefixList.PrefixListId", "create-managed-prefix-list --prefix-list-name office --address-family IPv4 --max-entries 5 --entries", "Cidr=203.0.113.0/24,Description=Berlin", "Cidr=198.51.100.7/32,Description=Alice")
	h.ec2("", "Return", "authorize-security-group-ingress --group-id "+web+" --protocol tcp --port 443 --cidr 0.0.0.0/0")
	h.ec2("", "Return", "authorize-security-group-ingress --group-id "+web+" --ip-permissions", "IpProtocol=tcp,FromPort=22,ToPort=22,PrefixListIds=[{PrefixListId="+office+",Description=office door}]")
	h.ec2("", "Return", "authorize-security-group-ingress --group-id "+app+" --protocol tcp --port 8000-8100 --source-group "+web)
	h.ec2("", "Return", "authorize-security-group-ingress --group-id "+db+" --protocol tcp --port 5432 --source-group "+app)
	h.ec2("", "Return", "authorize-security-group-ingress --group-id "+db+" --ip-permissions", "IpProtocol=icmp,FromPort=8,ToPort=-1,IpRanges=[{CidrIp=172.31.0.0/16}]")
	for _, i := range []struct{ name, address, group string }{{"web1", "172.31.0.10", web}, {"web2", "172.31.0.11", web}, {"db1", "172.31.0.30", db}} {
		h.ec2(i.name, "NetworkInterface.NetworkInterfaceId", "create-network-interface --subnet-id "+subnet+" --private-ip-address "+i.address+" --groups "+i.group, "--tag-specifications", "ResourceType=network-interface,Tags=[{Key=Name,Value="+i.name+"}]")
	}
	image := h.ec2("", "Images[0].ImageId", "describe-images --owners amazon")
	h.ec2("app1-i", "Instances[0].InstanceId", "run-instances --image-id "+image+" --count 1 --security-group-ids "+app+" --subnet-id "+subnet+" --private-ip-address 172.31.0.20", "--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=app1}]")
	h.ec2("app1", "NetworkInterfaces[?PrivateIpAddress=='172.31.0.20'].NetworkInterfaceId", "describe-network-interfaces")
}

func TestLooking(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	h.script("testdata/look.txt")
}

// Changes are told, and what was before can be looked at.
func TestPast(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	web := "web"
	for id, name := range h.ids {
		if name == "<web>" {
			web = id
		}
	}
	before, _ := h.run("show", "web")
	listed, _ := h.run("ls", "all", "--porcelain")
	h.ec2("", "Return", "revoke-security-group-ingress --group-id "+web+" --protocol tcp --port 443 --cidr 0.0.0.0/0")
	h.ec2("", "Return", "authorize-security-group-ingress --group-id "+web+" --protocol tcp --port 80 --cidr 0.0.0.0/0")
	h.script("testdata/past.txt")
	after, _ := h.run("show", "web", "--as-of", "now-2")
	which, after, _ := strings.Cut(after, "\n")
	rev := regexp.MustCompile(`revision (\d+)`).FindStringSubmatch(which)
	if rev == nil {
		t.Fatalf("as of which revision: %s", which)
	}
	if h.tidy(before) != h.tidy(after) {
		t.Errorf("show as of two revisions ago:\n%s\nat the time:\n%s", after, before)
	}
	if again, _ := h.run("ls", "all", "--porcelain", "--as-of", "now-2"); again != listed {
		t.Errorf("ls as of two revisions ago:\n%s\nat the time:\n%s", again, listed)
	}
	// By times: revisions began before or after, as calls were answered.
	then := time.Now().Format(time.RFC3339Nano)
	h.ec2("", "Return", "revoke-security-group-ingress --group-id "+web+" --protocol tcp --port 80 --cidr 0.0.0.0/0")
	if now, _ := h.run("find", "--ip", "192.0.2.1", "--port", "80"); !strings.Contains(now, "no rule lets in") {
		t.Errorf("now: %s", now)
	}
	if out, _ := h.run("find", "--ip", "192.0.2.1", "--port", "80", "--as-of", then); !strings.Contains(out, "http 80/tcp from anywhere") {
		t.Errorf("as of %s: %s", then, out)
	}
	// The past outlives the process. A server that stops may store when keys
	// were used last, which is a revision, and no difference.
	h.server.Stop()
	h.server.Again()
	if out, _ := h.run("diff"); !strings.Contains(out, "- http 80/tcp from anywhere") {
		t.Errorf("the last difference, after a restart:\n%s", out)
	}
	if again, _ := h.run("ls", "all", "--porcelain", "--as-of", rev[1]); again != listed {
		t.Errorf("after a restart, as of then:\n%s\nat the time:\n%s", again, listed)
	}
}

// Where a name stands for several things they are listed, and a VPC before it
// says which is meant. What another region or account has is not seen.
func TestSeveralOfAName(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	lab := h.ec2("lab", "Vpc.VpcId", "create-vpc --cidr-block 10.9.0.0/16 --tag-specifications", "ResourceType=vpc,Tags=[{Key=Name,Value=lab}]")
	h.ec2("labweb", "GroupId", "create-security-group --group-name web --vpc-id "+lab+" --description", "Web in the lab")
	h.ec2("", "Return", "create-tags --resources "+lab+" --tags Key=team,Value=red")
	for _, row := range []struct {
		line, want, not string
		status          int
	}{
		{"show web", `"web" stands for 2 things, write the id of one: <`, "lets in", 2},
		{"who-uses web", `"web" stands for 2 things`, "interface", 2},
		{"find --port 443 --group web", `"web" stands for 2 things`, "lets", 2},
		{"show lab/web", "Web in the lab", "https", 0},
		{"show shop/web", "https 443/tcp", "Web in the lab", 0},
		{"find --port 443 --group web --vpc shop", "https 443/tcp", "stands for", 0},
		{"ls --vpc lab", "web", "app", 0},
		{"ls rules --vpc lab", "everything to anywhere", "https", 0},
		{"__complete show we", "<lab>", "\nweb\t", 0},
		{"diff now-1", "+ tag team=red", "security group", 1},
	} {
		out, status := h.run(strings.Fields(row.line)...)
		out = h.tidy(out)
		if status != row.status || !strings.Contains(out, row.want) || strings.Contains(out, row.not) {
			t.Errorf("moat %s: %d\n%s\nwant %d, …%s…, and no %q", row.line, status, out, row.status, row.want, row.not)
		}
	}
	elsewhere := &house{t: t, server: h.server, ids: h.ids, env: append(append([]string{}, h.env...), "AWS_REGION=eu-west-1")}
	out, status := elsewhere.run("ls")
	if status != 0 || !strings.Contains(out, "default") || strings.Contains(out, "web") {
		t.Errorf("in another region, used for the first time: %d\n%s", status, out)
	}
	if out, status := elsewhere.run("show", "web"); status != 2 {
		t.Errorf("a group of another region is shown:\n%s", out)
	}
	if out, _ := elsewhere.run("diff", "0"); strings.Contains(out, "office") {
		t.Errorf("what changed in another region is told:\n%s", out)
	}
}

// Whoever may not describe may not look; one who may is not told who did what
// without the permission for that.
func TestLookingNeedsPermission(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	person := func(name, policy string) *house {
		p := &house{t: t, server: h.server, ids: h.ids}
		for _, line := range [][]string{
			{"iam", "create-user", "--user-name", name},
			{"iam", "put-user-policy", "--user-name", name, "--policy-name", "p", "--policy-document", policy},
		} {
			if out, status := h.run(line...); status != 0 {
				t.Fatalf("%q: %s", line, out)
			}
		}
		out, status := h.run("iam", "create-access-key", "--user-name", name, "--query", "AccessKey.[AccessKeyId,SecretAccessKey]", "--output", "text")
		if status != 0 {
			t.Fatal(out)
		}
		f := strings.Fields(out)
		p.env = append(append([]string{}, h.env...), "AWS_ACCESS_KEY_ID="+f[0], "AWS_SECRET_ACCESS_KEY="+f[1])
		return p
	}
	allow := func(actions string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Resource":"*"}]}`
	}
	reader := person("reader", allow(`"ec2:Describe*","ec2:GetManagedPrefixListEntries"`))
	auditor := person("auditor", allow(`"ec2:Describe*","ec2:GetManagedPrefixListEntries","cloudtrail:LookupEvents"`))
	narrow := person("narrow", allow(`"ec2:DescribeSecurityGroups","ec2:DescribeSecurityGroupRules","ec2:DescribeNetworkInterfaces","ec2:DescribeVpcs","ec2:DescribeInstances","ec2:DescribeInstanceAttribute","ec2:DescribeManagedPrefixLists","ec2:GetManagedPrefixListEntries"`))
	blind := person("blind", allow(`"ec2:DescribeVpcs"`))
	for _, row := range []struct {
		who    *house
		want   string
		status int
		line   string
	}{
		{reader, "ssh 22/tcp from list office", 0, "show web"},
		{auditor, "· added just now by root", 0, "show web"},
		{reader, "web", 0, "ls"},
		{reader, "office door", 0, "find --ip 203.0.113.7 --port 22"},
		{reader, "app1", 0, "who-uses web"},
		{reader, "added instance app1", 1, "diff 15"},
		{reader, "added volume", 1, "diff 15"},
		{narrow, "added instance app1", 1, "diff 15"},
		{narrow, "and 1 change of what you have no permission to see", 1, "diff 15"}, // the instance's volume
		{blind, "ec2:DescribeSecurityGroups", 2, "ls"},
		{blind, "is not authorized", 2, "show web"},
		{blind, "is not authorized", 2, "find --ip 203.0.113.7"},
		{blind, "is not authorized", 2, "who-uses web"},
	} {
		out, status := row.who.run(strings.Fields(row.line)...)
		if status != row.status || !strings.Contains(anyAge.ReplaceAllString(out, "just now"), row.want) {
			t.Errorf("%s: %d %s\nwant %d …%s…", row.line, status, out, row.status, row.want)
		}
	}
	if out, _ := reader.run("show", "web"); strings.Contains(out, "· added") { // an id may have "added" in it
		t.Errorf("one who may not look events up is told:\n%s", out)
	}
	stranger := &house{t: t, server: h.server, env: append(append([]string{}, h.env...), "AWS_SECRET_ACCESS_KEY=wrong")}
	if out, status := stranger.run("ls"); status != 2 || strings.Contains(out, "web") {
		t.Errorf("with a wrong key: %d %s", status, out)
	}
}

// Colours are for terminals, and for who asks for them.
func TestColours(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	const escape = "\x1b["
	for _, row := range []struct {
		what     string
		terminal bool
		env      []string
		args     []string
		want     bool
	}{
		{"a pipe", false, nil, nil, false},
		{"a terminal", true, nil, nil, true},
		{"a terminal, NO_COLOR", true, []string{"NO_COLOR=1"}, nil, false},
		{"a terminal, NO_COLOR of nothing", true, []string{"NO_COLOR="}, nil, true},
		{"a dumb terminal", true, []string{"TERM=dumb"}, nil, false},
		{"a terminal, never", true, nil, []string{"--color", "never"}, false},
		{"a pipe, always", false, nil, []string{"--color", "always"}, true},
		{"NO_COLOR, always", false, []string{"NO_COLOR=1"}, []string{"--color=always"}, true},
		{"a terminal, JSON", true, nil, []string{"--json"}, false},
	} {
		c := exec.Command(moattest.Binary(t), append([]string{"ls", "rules"}, row.args...)...)
		c.Env = append(append(append([]string{}, h.env...), "TERM=xterm"), row.env...)
		var out string
		if row.terminal {
			out = onTerminal(t, c)
		} else {
			b, err := c.CombinedOutput()
			if err != nil {
				t.Fatal(err)
			}
			out = string(b)
		}
		if strings.Contains(out, escape) != row.want || !strings.Contains(out, "5432") {
			t.Errorf("%s: colours %v, want %v:\n%q", row.what, !row.want, row.want, out)
		}
		if strip := regexp.MustCompile(`\x1b\[[0-9]*m`); row.want && row.args == nil && !row.terminal {
			if bare, _ := h.run("ls", "rules"); strip.ReplaceAllString(out, "") != bare {
				t.Errorf("%s: with colours the columns are elsewhere", row.what)
			}
		}
	}
	if out, status := h.run("ls", "--color", "sometimes"); status != 2 || !strings.Contains(out, "want auto, always or never") {
		t.Errorf("--color sometimes: %d %s", status, out)
	}
}

// The first minute of the help is true, line by line.
func TestFirstMinute(t *testing.T) {
	h := newHouse(t)
	help, status := h.run("help")
	_, rest, ok := strings.Cut(help, "The first minute:\n\n")
	minute, _, ok2 := strings.Cut(rest, "\n\n")
	if status != 0 || !ok || !ok2 {
		t.Fatalf("no first minute in the help: %s", help)
	}
	var outs []string
	for line := range strings.SplitSeq(minute, "\n") {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		args := shellWords(strings.TrimPrefix(strings.TrimSpace(line), "moat "))
		switch args[0] {
		case "serve", "eval": // newHouse has done that
			continue
		case "allow", "deny": // there is nobody to ask
			args = append(args, "--yes")
		}
		out, status := h.run(args...)
		if status != 0 {
			t.Errorf("%s: %d %s", line, status, out)
		}
		outs = append(outs, out)
	}
	if len(outs) != 4 || !strings.Contains(outs[0], "default") || !strings.Contains(outs[2], "ssh 22/tcp from 127.0.0.1/32") {
		t.Errorf("the first minute:\n%s", strings.Join(outs, "\n---\n"))
	}
	if out, _ := h.run("find", "--ip", "127.0.0.1", "--port", "22/tcp"); !strings.Contains(out, "no rule lets in") {
		t.Errorf("after it was taken back: %s", out)
	}
	if bare, _ := h.run(); bare != help {
		t.Error("moat and moat help say different things")
	}
	page, status := h.run("manual")
	if b, err := os.ReadFile("../../docs/moat.1"); err != nil || status != 0 || page != string(b) {
		t.Errorf("moat manual is not docs/moat.1: %d %v", status, err)
	}
}

// Names, ids, kinds and services are completed, as the scripts for shells ask.
func TestCompletion(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	for _, row := range []struct{ line, want string }{
		{"show w", "web web1 web2"},
		{"show we", "web web1 web2"},
		{"show o", "office"},
		{"show web ''", ""},
		{"show sg-", "<app> <db> <sg> <web>"},
		{"who-uses ''", "app db default office web"},
		{"who-uses web1", ""},
		{"ls r", "rules"},
		{"ls --vpc ''", "shop"},
		{"ls --vpc s", "shop"},
		{"find --port pos", "postgres"},
		{"find --group d", "db default"},
		{"find --color a", "always auto"},
		{"diff ''", ""},
		{"who-u", "who-uses"},
	} {
		args := strings.Split(row.line, " ")
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "''", "")
		}
		out, status := h.run(append([]string{"__complete"}, args...)...)
		var got []string
		for line := range strings.SplitSeq(h.tidy(out), "\n") {
			word, _, _ := strings.Cut(line, "\t")
			if word != "" && !strings.HasPrefix(word, ":") && !strings.HasPrefix(word, "Completion ended") && strings.HasPrefix(line, "<") || strings.HasPrefix(word, args[len(args)-1]) && word != "" && !strings.HasPrefix(word, ":") && !strings.HasPrefix(word, "Completion ended") {
				got = append(got, strings.TrimRight(word, "_"))
			}
		}
		slices.Sort(got)
		if status != 0 || strings.Join(got, " ") != row.want {
			t.Errorf("%s: %q, want %s (%d)", row.line, got, row.want, status)
		}
		if !strings.Contains(out, ":4\n") {
			t.Errorf("%s: files are completed too:\n%s", row.line, out)
		}
	}
	if _, err := exec.LookPath("bash"); err == nil {
		bin := moattest.Binary(t)
		c := exec.Command("bash", "-c", `PATH=$1:$PATH; source <(moat completion bash)
COMP_WORDS=(moat show we) COMP_CWORD=2 COMP_LINE="moat show we" COMP_POINT=12 COMP_TYPE=9 COMP_KEY=9
__start_moat 2>/dev/null; echo "${COMPREPLY[@]}"`, "bash", filepath.Dir(bin))
		c.Env = h.env
		if out, err := c.CombinedOutput(); err != nil || string(out) != "web web1 web2\n" {
			t.Errorf("bash completes %q, %v", out, err)
		}
	}
	// Without a server nothing is completed, and nothing is said.
	h.server.Stop()
	if out, status := h.run("__complete", "show", "w"); status != 0 || !strings.HasPrefix(out, ":4\n") {
		t.Errorf("without a server: %d %s", status, out)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if out, status := h.run("completion", shell); status != 0 || len(out) < 1000 {
			t.Errorf("completion %s: %d %s", shell, status, out)
		}
	}
}

// onTerminal runs a command with a terminal for its output.
func onTerminal(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	ptm, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	defer ptm.Close()
	if err := unix.IoctlSetPointerInt(int(ptm.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ptm.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	pts, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = pts, pts
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pts.Close()
	var b bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := ptm.Read(buf) // fails once nobody has the other end
		b.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &b)
	}
	return b.String()
}
