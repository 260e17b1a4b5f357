package iam_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moat/fault"
	"moat/iam"
	"moat/vpc"
)

var update = flag.Bool("update", false, "rewrite the tables")

// world is what a table's lines have set up.
type world struct {
	principal                   iam.Principal
	identity, boundary, session []string // documents
	policies                    iam.Policies
}

const arnStart = "arn:aws:ec2:us-east-1:123456789012:"

func (w *world) reset() {
	*w = world{principal: iam.Principal{
		Account: "123456789012", Type: iam.TypeUser, ID: "AIDAEXAMPLEALICE", Name: "alice", ARN: "arn:aws:iam::123456789012:user/alice",
	}}
}

// keysOf gives what a principal says of itself, for the slow implementation.
func keysOf(p *iam.Principal) map[string][]string {
	m := map[string][]string{
		"aws:userid": {p.ID}, "aws:principalaccount": {string(p.Account)}, "aws:principaltype": {string(p.Type)},
		"aws:principalarn": {p.ARN}, "aws:principalisawsservice": {"false"},
	}
	if p.Role != "" {
		m["aws:principalarn"] = []string{p.Role}
	}
	if p.Type == iam.TypeUser {
		m["aws:username"] = []string{p.Name}
	}
	for _, t := range p.Tags {
		m["aws:principaltag/"+strings.ToLower(t.Key)] = []string{t.Value}
	}
	return m
}

// parseCall reads "ACTION RESOURCE key=value key=value,value".
func (w *world) parseCall(line string) (*iam.Request, *refRequest) {
	f := strings.Fields(line)
	r := &iam.Request{Principal: &w.principal, Action: f[0], Resource: f[1]}
	if rest, ok := strings.CutPrefix(f[1], "@"); ok {
		r.Resource = arnStart + rest
	}
	given := map[string][]string{}
	for _, kv := range f[2:] {
		if kv == "norule" {
			r.NoRule = true
			continue
		}
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			panic(kv)
		}
		given[strings.ToLower(k)] = nil
		for _, v := range strings.Split(v, ",") {
			if v != "" || strings.Contains(kv, ",") {
				given[strings.ToLower(k)] = append(given[strings.ToLower(k)], strings.ReplaceAll(v, "_", " "))
			}
		}
	}
	r.Context = iam.ContextMap(given)
	keys := keysOf(&w.principal)
	maps.Copy(keys, given)
	return r, &refRequest{action: r.Action, resource: r.Resource, keys: keys, noRule: r.NoRule}
}

// answer gives a decision as the tables have it: allow, or the reason that the
// caller is told.
func answer(d iam.Decision, action string) string {
	if d.Allowed {
		return "allow"
	}
	s := d.Reason(action)
	if d.Statement != nil && d.Statement.Sid != "" {
		s += " [" + d.Statement.Sid + "]"
	}
	return s
}

var partNames = map[iam.Part]string{iam.IdentityPart: "identity", iam.BoundaryPart: "boundary", iam.SessionPart: "session"}

func short(d iam.Decision) string {
	switch {
	case d.Allowed:
		return "allow"
	case d.Explicit:
		return "deny " + partNames[d.Part]
	}
	return "none " + partNames[d.Part]
}

// The tables: policies, and calls with what becomes of them. Each row is
// decided a second time by the slow implementation.
func TestDecisions(t *testing.T) {
	files, _ := filepath.Glob("testdata/decide-*.txt")
	rows := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var w world
		w.reset()
		var out strings.Builder
		for n, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
			at := fmt.Sprintf("%s:%d", file, n+1)
			word, rest, _ := strings.Cut(line, " ")
			switch {
			case line == "" || word == "#":
			case word == "principal": // user NAME | session ROLE NAME | root, then tags
				w.reset()
				w.setPrincipal(rest)
			case word == "identity" || word == "boundary" || word == "session":
				p, err := iam.ParsePolicy([]byte(rest), iam.IdentityPolicy)
				if err != nil {
					t.Fatalf("%s: %v", at, err)
				}
				switch word {
				case "identity":
					w.identity, w.policies.Identity = append(w.identity, rest), append(w.policies.Identity, p)
				case "boundary":
					w.boundary, w.policies.Boundary = []string{rest}, p
				default:
					w.session, w.policies.Session = append(w.session, rest), append(w.policies.Session, p)
				}
			default:
				call, want, ok := strings.Cut(line, " => ")
				if !ok && !*update {
					t.Fatalf("%s: no line of a table: %s", at, line)
				}
				call = strings.TrimSpace(strings.TrimSuffix(call, "=>"))
				r, ref := w.parseCall(call)
				d := iam.Decide(&w.policies, r)
				got := answer(d, r.Action)
				if got != want && !*update {
					t.Errorf("%s: %s\n got %s\nwant %s", at, call, got, want)
				}
				if !r.Principal.IsRoot() {
					if slow := refDecide(w.identity, w.boundary, w.session, ref); slow != short(d) {
						t.Errorf("%s: %s: decided %s, and %s by the slow implementation", at, call, short(d), slow)
					}
				}
				if sim := iam.Simulate(&w.policies, r); sim.Decision != d {
					t.Errorf("%s: simulated %+v, decided %+v", at, sim.Decision, d)
				}
				line = call + " => " + got
				rows++
			}
			out.WriteString(line + "\n")
		}
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if rows < 300 {
		t.Errorf("the tables have %d rows, want at least 300", rows)
	}
}

func (w *world) setPrincipal(s string) {
	f := strings.Fields(s)
	p := &w.principal
	switch f[0] {
	case "root":
		*p = iam.Root("123456789012", "aws", "")
		f = f[1:]
	case "user":
		p.Name, p.ARN = f[1], "arn:aws:iam::123456789012:user/"+f[1]
		f = f[2:]
	case "session":
		*p = iam.Principal{
			Account: "123456789012", Type: iam.TypeSession, ID: "AROAEXAMPLE:" + f[2], Role: "arn:aws:iam::123456789012:role/" + f[1],
			ARN: "arn:aws:sts::123456789012:assumed-role/" + f[1] + "/" + f[2],
		}
		f = f[3:]
	}
	for _, kv := range f {
		k, v, _ := strings.Cut(kv, "=")
		p.Tags = append(p.Tags, vpc.Tag{Key: k, Value: v})
	}
}

// The documents that are refused, and in which words.
func TestMalformedPolicies(t *testing.T) {
	data, err := os.ReadFile("testdata/malformed.txt")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]iam.PolicyKind{"identity": iam.IdentityPolicy, "trust": iam.TrustPolicy, "session": iam.SessionPolicy}
	var out []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n\n") {
		head, want, ok := strings.Cut(block, "\n----\n")
		if !ok && !*update {
			t.Fatalf("no row: %s", block)
		}
		name, doc, _ := strings.Cut(head, "\n")
		kind, title, _ := strings.Cut(strings.TrimPrefix(name, "# "), ": ")
		k, known := kinds[kind]
		if !known {
			t.Fatalf("no kind: %s", name)
		}
		got := "fine"
		if _, err := iam.ParsePolicy([]byte(doc), k); err != nil {
			got = err.Error()
			var f *fault.Error
			if !errors.As(err, &f) || f.Status != 400 {
				t.Errorf("%s: the refusal is no fault: %v", title, err)
			}
		}
		if got != want && !*update {
			t.Errorf("%s\n got %s\nwant %s", title, got, want)
		}
		out = append(out, head+"\n----\n"+got)
	}
	if *update {
		if err := os.WriteFile("testdata/malformed.txt", []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
