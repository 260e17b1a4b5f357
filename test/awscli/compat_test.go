// Package awscli tests that `moat --cli-compat 2.9.19` is the AWS CLI 2.9.19:
// both run the same lines against the same server, and what they write to
// standard output and standard error, and their exit statuses, are equal byte
// for byte.
package awscli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moat/test/moattest"
)

func TestMain(m *testing.M) { moattest.Main(m) }

// The lines of testdata/*.txt:
//
//	# comment
//	let NAME = LINE      the output of the line is $NAME from here on
//	file NAME TEXT       a file in the directory where the lines run
//	env A=b … LINE       a line with variables of its own
//	bare LINE            a line without --endpoint-url
//	! REASON: LINE       a line of which the answers differ, and why
//
// read.txt and wrong.txt change nothing, so both programs ask about the same
// things. The lines of write.txt change things: each program has an account of
// its own there, in which the same has happened, and ids are compared by the
// order in which they appear.
//
// By default a part of the lines is run, another one for each 1 in
// MOAT_TEST_PART; MOAT_TEST_CLI=all runs all of them, and an expression in its
// place those that match:
//
//	MOAT_TEST_CLI=all go test ./test/awscli -v -timeout 30m
const share = 8

func TestReadsAsTheAWSCLI(t *testing.T)   { compare(t, "read.txt", false) }
func TestRefusesAsTheAWSCLI(t *testing.T) { compare(t, "wrong.txt", false) }
func TestChangesAsTheAWSCLI(t *testing.T) { compare(t, "write.txt", true) }

// realCLI gives the AWS CLI 2.9.19, or skips the test.
func realCLI(t *testing.T) string {
	path := os.Getenv("MOAT_TEST_AWS")
	if path == "" {
		path = "/usr/bin/aws"
	}
	out, err := exec.Command(path, "--version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "aws-cli/2.9.19 ") {
		t.Skipf("%s is not the AWS CLI 2.9.19 (apt-get install awscli on Debian 12)", path)
	}
	return path
}

// A program runs lines as one of the two command lines.
type program struct {
	name   string
	words  []string // it begins with
	dir    string
	url    string
	key    string
	values map[string]string
}

type result struct {
	out, err string
	status   int
}

func (p *program) run(t *testing.T, line string) result {
	words := p.words
	env := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": p.dir, "LANG": "C.UTF-8", "AWS_ACCESS_KEY_ID": p.key, "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "PYTHONIOENCODING": "utf-8",
	}
	args := split(t, p.expand(line))
	endpoint := true
	for len(args) > 0 {
		switch name, value, ok := strings.Cut(args[0], "="); {
		case args[0] == "env":
		case args[0] == "bare":
			endpoint = false
		case ok && strings.ToUpper(name) == name && !strings.HasPrefix(name, "-"):
			if value == "-" {
				delete(env, name)
			} else {
				env[name] = value
			}
		default:
			goto done
		}
		args = args[1:]
	}
done:
	if endpoint {
		words = append(slices.Clone(words), "--endpoint-url", p.url)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, words[0], append(slices.Clone(words[1:]), args...)...)
	c.Dir = p.dir
	for _, k := range slices.Sorted(maps.Keys(env)) {
		c.Env = append(c.Env, k+"="+env[k])
	}
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", p.name, err)
	}
	return result{out.String(), stderr.String(), c.ProcessState.ExitCode()}
}

func (p *program) expand(line string) string {
	names := slices.Collect(maps.Keys(p.values))
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	for _, n := range names {
		line = strings.ReplaceAll(line, "$"+n, p.values[n])
	}
	return strings.ReplaceAll(line, "$URL", p.url)
}

// split splits a line into words as a shell does.
func split(t *testing.T, line string) []string {
	var words []string
	var word strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == '"' && c == '\\' && i+1 < len(line) && strings.IndexByte(`"\n`, line[i+1]) >= 0:
			i++
			if c = line[i]; c == 'n' {
				c = '\n'
			}
			word.WriteByte(c)
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ':
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		default:
			in = true
			word.WriteByte(c)
		}
	}
	if quote != 0 {
		t.Fatalf("a quote is not closed: %s", line)
	}
	if in {
		words = append(words, word.String())
	}
	return words
}

func compare(t *testing.T, file string, writes bool) {
	cli := realCLI(t)
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	server := moattest.Start(t, "--auth", "any", "--wait-enforced", "none", "--quotas", "off")
	dir := t.TempDir()
	values := map[string]string{}
	real := &program{name: "aws", words: []string{cli}, dir: dir, url: server.URL, key: "111111111111", values: values}
	ours := &program{name: "moat", words: []string{moattest.Binary(t), "--cli-compat", "2.9.19"}, dir: dir, url: server.URL, key: "111111111111", values: values}
	if writes {
		ours.key, ours.values = "222222222222", map[string]string{}
	}
	which := os.Getenv("MOAT_TEST_CLI")
	all := which == "all" || writes && which != ""
	var chosen *regexp.Regexp
	if which != "" && which != "all" {
		chosen = regexp.MustCompile(which)
	}
	part := os.Getenv("MOAT_TEST_PART")
	type job struct {
		number       int
		line, reason string
	}
	var jobs []job
	lines := 0
	names := map[string]string{}
	for i, line := range strings.Split(string(text), "\n") {
		first, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || first == "#":
			continue
		case first == "file":
			name, body, _ := strings.Cut(rest, " ")
			body = strings.NewReplacer(`\n`, "\n").Replace(real.expand(body))
			if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		case first == "let":
			name, line, _ := strings.Cut(rest, " = ")
			if writes {
				a, b := real.run(t, line), ours.run(t, line)
				lines++
				same(t, i+1, line, "", renamed(names, a, b), a, b)
				real.values[name], ours.values[name] = strings.TrimSpace(a.out), strings.TrimSpace(b.out)
				continue
			}
			r := (&program{name: "moat", words: []string{moattest.Binary(t)}, dir: dir, url: server.URL, key: real.key, values: values}).run(t, line)
			if r.status != 0 {
				t.Fatalf("line %d: %s\n%s", i+1, line, r.err)
			}
			values[name] = strings.TrimSpace(r.out)
			continue
		}
		reason := ""
		if first == "!" {
			reason, line, _ = strings.Cut(rest, ": ")
		}
		lines++
		if writes {
			a, b := real.run(t, line), ours.run(t, line)
			same(t, i+1, line, reason, renamed(names, a, b), a, b)
			if !all && lines >= 30 {
				t.Logf("the rest of the lines is run by MOAT_TEST_CLI=all")
				break
			}
			continue
		}
		h := fnv.New32a()
		fmt.Fprint(h, part, line)
		if all || chosen != nil && chosen.MatchString(line) || chosen == nil && h.Sum32()%share == 0 {
			jobs = append(jobs, job{i + 1, line, reason})
		}
	}
	var wait sync.WaitGroup
	turn := make(chan bool, 2)
	for _, j := range jobs {
		wait.Add(1)
		turn <- true
		go func() {
			defer func() { <-turn; wait.Done() }()
			a, b := real.run(t, j.line), ours.run(t, j.line)
			same(t, j.number, j.line, j.reason, a == b, a, b)
		}()
	}
	wait.Wait()
	if !writes {
		t.Logf("%d of %d lines run", len(jobs), lines)
	} else {
		t.Logf("%d lines run", lines)
	}
}

func same(t *testing.T, number int, line, reason string, equal bool, a, b result) {
	t.Helper()
	switch {
	case equal && reason == "":
	case equal:
		t.Errorf("line %d: %s\nis said to differ (%s), and does not", number, line, reason)
	case reason == "":
		t.Errorf("line %d: %s\n--- aws: exit %d\n%s\n%s\n--- moat: exit %d\n%s\n%s", number, line, a.status, a.out, a.err, b.status, b.out, b.err)
	}
}

// changing is what differs between two accounts, and between two moments.
var changing = regexp.MustCompile(`\b[a-z]+(?:-[a-z]+)*-[0-9a-f]{17}\b|\b[12]{12}\b|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b0[26](?::[0-9a-f]{2}){5}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?|\b[A-Za-z0-9+/_-]{24,}={0,2}|fd[0-9a-f:]+|2600[0-9a-f:]+|\bA[A-Z]{3}[A-Z0-9]{17}\b`)

// renamed reports whether one result is the other under other names: each id
// of the one stands for the same id of the other wherever it appears, also on
// earlier lines.
func renamed(names map[string]string, a, b result) bool {
	if a.status != b.status {
		return false
	}
	for _, pair := range [][2]string{{a.out, b.out}, {a.err, b.err}} {
		x, y := changing.FindAllStringIndex(pair[0], -1), changing.FindAllStringIndex(pair[1], -1)
		if len(x) != len(y) || changing.ReplaceAllString(pair[0], "*") != changing.ReplaceAllString(pair[1], "*") {
			return false
		}
		for i := range x {
			p, q := pair[0][x[i][0]:x[i][1]], pair[1][y[i][0]:y[i][1]]
			if strings.Count(p, ":") == 0 || !strings.Contains(p, "T") { // times differ
				if to, ok := names[p]; ok && to != q {
					return false
				}
				names[p] = q
			}
		}
	}
	return true
}
