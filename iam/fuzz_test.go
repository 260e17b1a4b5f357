package iam_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"moat/iam"
)

// FuzzParsePolicy: no document panics, takes long, or is accepted and then
// cannot decide.
func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"arn:aws:ec2:*:*:vpc/${aws:username, 'x'}","Condition":{"IpAddress":{"moat:Cidr":["10.0.0.0/8"]},"NumericEquals":{"moat:Port":22}}}]}`))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotAction":["a:?"],"NotResource":["*"],"Condition":{"ForAllValues:StringNotLikeIfExists":{"a:b":["*?*","${*}"]},"Null":{"a:b":true}}}}`))
	f.Add([]byte(`{"Statement":{"Effect":"Allow","Action":"sts:*","Principal":{"AWS":"123456789012"}}}`))
	alice := &iam.Principal{Account: "123456789012", Type: iam.TypeUser, Name: "alice", ARN: "arn:aws:iam::123456789012:user/alice"}
	r := &iam.Request{
		Principal: alice, Action: "ec2:AuthorizeSecurityGroupIngress", Resource: arnStart + "security-group/sg-1",
		Context: iam.ContextMap{
			"moat:port": {"0-65535"}, "moat:cidr": {"::/0"}, "a:b": {"x", "y"}, "moat:ipprotocol": {"-1"}, "aws:sourceip": {"10.0.0.1"},
			"aws:currenttime": {"2026-11-22T19:16:02Z"}, "aws:securetransport": {"true"},
		},
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		began := time.Now()
		for _, kind := range []iam.PolicyKind{iam.IdentityPolicy, iam.TrustPolicy, iam.SessionPolicy} {
			p, err := iam.ParsePolicy(doc, kind)
			if err != nil {
				if !strings.Contains(err.Error(), "line ") && !strings.Contains(err.Error(), "too long") {
					t.Errorf("the refusal names no line: %v", err)
				}
				continue
			}
			if kind == iam.TrustPolicy {
				iam.DecideTrust(p, r)
				continue
			}
			policies := &iam.Policies{Identity: []*iam.Policy{p}}
			if d := iam.Simulate(policies, r); d.Decision != iam.Decide(policies, r) {
				t.Errorf("simulated %+v, decided otherwise", d)
			}
			p.ContextKeys()
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%d bytes took %v", len(doc), took)
		}
	})
}

// Random policies and calls of small alphabets, so that much matches: the two
// implementations agree.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { compare(t, seed) })
}

func TestDecideAsTheSlowOne(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(3000) {
		seen[compare(t, seed)]++
	}
	for _, want := range []string{"allow", "deny identity", "none identity", "deny boundary", "none boundary", "deny session", "none session"} {
		if seen[want] < 10 {
			t.Errorf("%q came %d times of 3000: the comparison does not reach it", want, seen[want])
		}
	}
}

type maker struct{ *rand.Rand }

func (m maker) pick(of ...string) string { return of[m.IntN(len(of))] }

func (m maker) some(n int, make func() string) any {
	if m.IntN(3) == 0 {
		return make()
	}
	out := []any{}
	for range m.IntN(n) + 1 {
		out = append(out, make())
	}
	return out
}

func (m maker) text() string {
	var b strings.Builder
	for range m.IntN(5) {
		b.WriteString(m.pick("a", "b", "B", "*", "?", "/", "é", "${aws:username}", "${x:one}", "${x:none}", "${x:none, 'a'}", "${*}", "${?}"))
	}
	return b.String()
}

func (m maker) arn() string {
	if m.IntN(8) == 0 {
		return "*"
	}
	s := "arn:aws"
	for range 3 {
		s += ":" + m.pick("*", "a", "b", "?", "${x:one}", "")
	}
	return s + ":" + m.text()
}

func (m maker) value() string {
	var b strings.Builder
	for range m.IntN(5) {
		b.WriteString(m.pick("a", "b", "B", "*", "?", "/", "é", ":"))
	}
	return b.String()
}

func (m maker) valueARN() string {
	if m.IntN(10) == 0 {
		return m.pick("*", "a", "arn:aws:a")
	}
	return "arn:aws:" + m.pick("a", "b") + ":" + m.pick("a", "b", "") + ":" + m.pick("a", "b", "*") + ":" + m.value()
}

func (m maker) condition() (op, key string, values any) {
	var make func() string
	switch m.IntN(9) {
	case 0, 1:
		op, key = m.pick("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"), m.pick("x:one", "x:many", "x:none", "aws:username")
		make = m.text
	case 2:
		op, key, make = m.pick("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"), m.pick("x:arn", "x:none"), m.arn
	case 3:
		op, key = m.pick("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"), m.pick("x:number", "x:none", "moat:CidrPrefixLength")
		make = func() string { return m.pick("-1", "0", "1", "2", "2.0", "2.5", "10", "010", ".5") }
	case 4, 5:
		op, key = m.pick("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"), "moat:Port"
		make = func() string { return m.pick("20", "21", "22", "25", "30", "0", "65535", "22.5", "-1") }
	case 6:
		op, key = m.pick("IpAddress", "NotIpAddress"), m.pick("moat:Cidr", "aws:SourceIp", "x:none")
		make = func() string {
			return m.pick("10.0.0.0/24", "10.0.0.0/25", "10.0.0.128/25", "10.0.1.0/24", "10.0.0.7", "0.0.0.0/0", "::/0", "2001:db8::/124", "2001:db8::8/125")
		}
	case 7:
		op, key = m.pick("StringEquals", "StringNotEquals"), "moat:IpProtocol"
		make = func() string { return m.pick("tcp", "udp", "-1", "6", "50") }
	default:
		switch m.IntN(4) {
		case 0:
			return "Null", m.pick("x:one", "x:none", "moat:Port"), m.pick("true", "false")
		case 1:
			op, key, make = "Bool", m.pick("aws:SecureTransport", "x:none"), func() string { return m.pick("true", "false") }
		case 2:
			op, key = m.pick("DateEquals", "DateNotEquals", "DateLessThan", "DateGreaterThanEquals"), m.pick("aws:CurrentTime", "x:none")
			make = func() string { return m.pick("2026-11-22T19:16:02Z", "2026", "1795374962", "2026-11-22") }
		default:
			op, key, make = "BinaryEquals", m.pick("x:bytes", "x:none"), func() string { return m.pick("YWI=", "YWM=") }
		}
	}
	if m.IntN(6) == 0 {
		op += "IfExists"
	}
	if m.IntN(5) == 0 {
		op = m.pick("ForAllValues:", "ForAnyValue:") + op
	}
	return op, key, m.some(3, make)
}

func (m maker) policy() string {
	doc := map[string]any{}
	if v := m.pick("2012-10-17", "2012-10-17", "2008-10-17", ""); v != "" {
		doc["Version"] = v
	}
	var statements []any
	for range m.IntN(3) + 1 {
		s := map[string]any{"Effect": m.pick("Allow", "Allow", "Deny")}
		action := m.some(2, func() string { return m.pick("*", "ec2:*", "ec2:A*", "EC2:ab", "ec2:?b", "ec2:a*b", "iam:*") })
		if m.IntN(5) == 0 {
			s["NotAction"] = action
		} else {
			s["Action"] = action
		}
		resource := m.some(2, m.arn)
		if m.IntN(2) == 0 {
			resource = "*"
		}
		if m.IntN(6) == 0 {
			s["NotResource"] = resource
		} else {
			s["Resource"] = resource
		}
		conds := map[string]any{}
		for range m.IntN(4) {
			op, key, v := m.condition()
			if conds[op] == nil {
				conds[op] = map[string]any{}
			}
			conds[op].(map[string]any)[key] = v
		}
		if len(conds) > 0 {
			s["Condition"] = conds
		}
		statements = append(statements, s)
	}
	doc["Statement"] = statements
	data, _ := json.Marshal(doc)
	return string(data)
}

// compare makes policies and a call of a seed, has both decide, and gives what
// they say.
func compare(t *testing.T, seed uint64) string {
	m := maker{rand.New(rand.NewPCG(seed, 0))}
	var w world
	w.reset()
	parse := func(doc string) *iam.Policy {
		p, err := iam.ParsePolicy([]byte(doc), iam.IdentityPolicy)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, doc)
		}
		return p
	}
	for range m.IntN(2) + 1 {
		w.identity = append(w.identity, m.policy())
	}
	if m.IntN(3) == 0 {
		w.boundary = []string{m.policy()}
	}
	if m.IntN(3) == 0 {
		w.session = []string{m.policy()}
	}
	for _, d := range w.identity {
		w.policies.Identity = append(w.policies.Identity, parse(d))
	}
	for _, d := range w.boundary {
		w.policies.Boundary = parse(d)
	}
	for _, d := range w.session {
		w.policies.Session = append(w.policies.Session, parse(d))
	}
	call := m.pick("ec2:ab", "ec2:aXb", "ec2:b", "iam:ab") + " " + strings.ReplaceAll(m.valueARN(), " ", "")
	add := func(chance int, kv string) {
		if m.IntN(chance) == 0 {
			return
		}
		call += " " + kv
	}
	add(3, "x:one="+m.value())
	add(3, "x:many="+m.value()+","+m.value())
	add(3, "x:arn="+m.valueARN())
	add(3, "x:number="+m.pick("0", "2", "-1", "2.50", "0.5", "x"))
	add(3, "moat:CidrPrefixLength="+m.pick("0", "2", "24"))
	add(3, "moat:Port="+m.pick("22", "20-30", "20-21", "23-24", "0-300", "26-29"))
	add(3, "moat:Cidr="+m.pick("10.0.0.0/24", "10.0.0.0/23", "10.0.0.0/26", "10.0.0.7/32", "10.0.2.0/24", "2001:db8::/123", "2001:db8::8/126"))
	add(3, "moat:IpProtocol="+m.pick("tcp", "udp", "-1", "50"))
	add(3, "aws:SourceIp="+m.pick("10.0.0.7", "10.0.0.200", "2001:db8::9", "::ffff:10.0.0.7"))
	add(3, "aws:SecureTransport="+m.pick("true", "false"))
	add(3, "aws:CurrentTime="+m.pick("2026-11-22T19:16:02Z", "2025-01-01T00:00:00Z"))
	add(3, "x:bytes="+m.pick("YWI=", "YWM=", "!"))
	if m.IntN(10) == 0 {
		call += " norule"
	}
	r, ref := w.parseCall(call)
	decision := iam.Decide(&w.policies, r)
	got := short(decision)
	index := iam.NewIndex(&w.policies)
	for _, action := range []string{r.Action, "ec2:other", r.Action} {
		q := *r
		q.Action = action
		if d := index.Decide(&q); d != iam.Decide(&w.policies, &q) {
			t.Errorf("seed %d: %s: by the index %+v, without it %+v", seed, action, d, decision)
		}
	}
	if want := refDecide(w.identity, w.boundary, w.session, ref); got != want {
		t.Errorf("seed %d: decided %s, and %s by the slow implementation\ncall %s\nidentity %s\nboundary %s\nsession %s", seed, got, want, call,
			strings.Join(w.identity, "\n         "), w.boundary, w.session)
	}
	return got
}

// Documents made to be slow are not.
func TestHostileDocuments(t *testing.T) {
	deny := func(cond string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ec2:*","Resource":"*","Condition":` + cond + `}}`
	}
	numbers := func(n int, f func(i int) string) string {
		var out []string
		for i := range n {
			out = append(out, f(i))
		}
		return strings.Join(out, ",")
	}
	long := strings.Repeat("a", 2000)
	for name, doc := range map[string]string{
		"brackets":         strings.Repeat("[", 130_000),
		"objects":          strings.Repeat(`{"a":`, 26_000),
		"stars in actions": `{"Statement":{"Effect":"Deny","Action":[` + numbers(3000, func(int) string { return `"ec2:` + strings.Repeat("*a", 15) + `b"` }) + `],"Resource":"*"}}`,
		"stars":            deny(`{"StringLike":{"x:y":[` + numbers(60, func(int) string { return `"` + strings.Repeat("*a", 1000) + `b"` }) + `]}}`),
		"question marks":   deny(`{"StringLike":{"x:y":[` + numbers(60, func(int) string { return `"*` + strings.Repeat("?a", 500) + `b*"` }) + `]}}`),
		"ports":            deny(`{"NumericEquals":{"moat:Port":[` + numbers(15_000, func(i int) string { return fmt.Sprint(i * 4) }) + `]},"NumericNotEquals":{"moat:Port":["1"]}}`),
		"ranges":           deny(`{"IpAddress":{"moat:Cidr":[` + numbers(6000, func(i int) string { return fmt.Sprintf(`"10.%d.%d.1"`, i/250, i%250) }) + `]},"NotIpAddress":{"moat:Cidr":"10.0.0.0/7"}}`),
		"variables":        deny(`{"StringLike":{"x:y":[` + numbers(2000, func(int) string { return `"${x:y}*${x:y}*b"` }) + `]}}`),
		"statements":       `{"Version":"2012-10-17","Statement":[` + numbers(2000, func(int) string { return `{"Effect":"Deny","Action":"iam:*","Resource":"*"}` }) + `]}`,
	} {
		if len(doc) > 131_072 {
			t.Errorf("%s: %d bytes are refused for their length", name, len(doc))
		}
		began := time.Now()
		p, err := iam.ParsePolicy([]byte(doc), iam.IdentityPolicy)
		parsed := time.Since(began)
		if parsed > 5*time.Second {
			t.Errorf("%s: reading took %v", name, parsed)
		}
		if err != nil {
			continue
		}
		began = time.Now()
		iam.Decide(&iam.Policies{Identity: []*iam.Policy{p}}, &iam.Request{
			Principal: &iam.Principal{Type: iam.TypeUser}, Action: "ec2:" + strings.Repeat("a", 60), Resource: "*",
			Context: iam.ContextMap{"x:y": {long}, "moat:port": {"0-65535"}, "moat:cidr": {"8.0.0.0/5"}},
		})
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: deciding took %v", name, took)
		} else {
			t.Logf("%-18s read in %v, decided in %v", name, parsed, took)
		}
	}
}
