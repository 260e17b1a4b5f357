// Command maketable writes the tables of one version of the AWS CLI from the
// service models in its package:
//
//	go run ./awscli/maketable /usr/lib/python3/dist-packages/awscli /usr/bin/aws awscli/table/2.9.19
//
// reads Debian 12's awscli 2.9.19, and writes a file for each service, and one
// with the names of all commands, as the program lists them. What the format
// is, package awsmodel says. Nothing else writes into the tables: to take
// another version, run this and review the difference.
//
//	go run ./awscli/maketable -later .../site-packages/botocore awscli/table/later
//
// writes how operations are paged and waited for alone, from a later botocore,
// for the form without --cli-compat.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

var services = []struct{ name, version string }{{"ec2", "2016-11-15"}, {"iam", "2010-05-08"}, {"sts", "2011-06-15"}, {"cloudtrail", "2013-11-01"}}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "-later" {
		if err := later(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "maketable:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: maketable DIRECTORY-OF-AWSCLI AWS OUTPUT-DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "maketable:", err)
		os.Exit(1)
	}
}

func run(from, aws, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, s := range services {
		dir := filepath.Join(from, "botocore", "data", s.name, s.version)
		choices, err := commands(aws, s.name)
		if err != nil {
			return err
		}
		text, err := table(dir, choices)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := os.WriteFile(filepath.Join(to, s.name+".txt"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	names, err := commands(aws)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "commands.txt"), []byte(strings.Join(names, "\n")+"\n"), 0o644)
}

// later writes the records of pages and waiters alone.
func later(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, s := range services {
		text, err := table(filepath.Join(from, "data", s.name, s.version), nil)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		var kept []string
		for _, block := range strings.Split(text, "\n\n") {
			if kind := strings.TrimLeft(block, "\n"); !strings.HasPrefix(kind, "o\t") && !strings.HasPrefix(kind, "s\t") {
				kept = append(kept, block)
			}
		}
		text = strings.Join(kept, "\n\n")
		head, rest, _ := strings.Cut(text, "\nops\t")
		_, rest, _ = strings.Cut(rest, "\n")
		if err := os.WriteFile(filepath.Join(to, s.name+".txt"), []byte(strings.TrimRight(head+"\n"+rest, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// commands gives the names that the program offers for one that it does not
// know.
func commands(aws string, after ...string) ([]string, error) {
	out, _ := exec.Command(aws, append(after, "no-such-command")...).CombinedOutput() // it fails
	_, list, ok := strings.Cut(string(out), "valid choices are:")
	if !ok {
		return nil, fmt.Errorf("%s lists no choices: %s", aws, out)
	}
	list, _, _ = strings.Cut(list, "Invalid choice:")
	return strings.Fields(strings.ReplaceAll(list, "|", " ")), nil
}

// An object is a JSON object in order.
type object struct {
	keys   []string
	values map[string]json.RawMessage
}

func (o *object) UnmarshalJSON(b []byte) error {
	o.values = map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return err
		}
		o.keys, o.values[key.(string)] = append(o.keys, key.(string)), v
	}
	return nil
}

type ref struct {
	Shape            string
	LocationName     string
	QueryName        string
	IdempotencyToken bool
	Deprecated       bool
	Flattened        bool
	ResultWrapper    string
}

type model struct {
	Metadata struct {
		ServiceID, EndpointPrefix, ServiceFullName, APIVersion, Protocol, GlobalEndpoint, TargetPrefix string
	}
	Operations object
	Shapes     map[string]shape
}

type shape struct {
	Type       string
	Members    object
	Member     ref
	Key, Value ref
	Required   []string
	Enum       []string
	Min        *json.Number
	Flattened  bool
}

func table(dir string, choices []string) (string, error) {
	var m model
	if err := read(dir, "service-2.json", &m); err != nil {
		return "", err
	}
	// A list's items have names in a response, which no parser of the CLI reads.
	var b strings.Builder
	b.WriteString("# Derived from the service model in the AWS CLI, copyright Amazon.com, Inc. or its affiliates,\n" +
		"# licensed under the Apache License 2.0 (LICENSE-APACHE-2.0.txt). Changed: the form, and documentation is left out.\n")
	md := m.Metadata
	service := []string{"service", md.EndpointPrefix, md.ServiceID, md.ServiceFullName, md.APIVersion, md.Protocol, md.GlobalEndpoint}
	if md.TargetPrefix != "" {
		service = append(service, md.TargetPrefix)
	}
	line(&b, service...)
	line(&b, append([]string{"ops"}, m.Operations.keys...)...)

	var waiters struct{ Waiters map[string]waiter }
	var pages struct{ Pagination map[string]pages }
	if err := read(dir, "waiters-2.json", &waiters); err != nil && !os.IsNotExist(err) {
		return "", err
	}
	if err := read(dir, "paginators-1.json", &pages); err != nil && !os.IsNotExist(err) {
		return "", err
	}
	line(&b, append([]string{"waiters"}, sorted(waiters.Waiters)...)...)
	line(&b, append([]string{"choices"}, choices...)...)
	b.WriteByte('\n')

	var lines []string
	used := map[string]bool{}
	for _, name := range m.Operations.keys {
		var o struct{ Input, Output *ref }
		if err := json.Unmarshal(m.Operations.values[name], &o); err != nil {
			return "", err
		}
		var in, out, wrapper string
		if o.Input != nil {
			in = o.Input.Shape
			m.use(used, in)
		}
		if o.Output != nil {
			out, wrapper = o.Output.Shape, o.Output.ResultWrapper
			m.use(used, out)
		}
		lines = append(lines, join("o", name, in, out, wrapper))
	}
	block(&b, lines)

	lines = nil
	for name, p := range pages.Pagination {
		lines = append(lines, join("p", name, strings.Join(p.InputToken, "|"), strings.Join(p.OutputToken, "|"),
			strings.Join(p.ResultKey, "|"), strings.Join(p.NonAggregate, "|"), p.MoreResults, p.LimitKey))
	}
	block(&b, lines)

	lines = nil
	for name, w := range waiters.Waiters {
		f := []string{"w", name, w.Operation, fmt.Sprint(w.Delay), fmt.Sprint(w.MaxAttempts)}
		for _, a := range w.Acceptors {
			expected := ""
			switch v := a.Expected.(type) {
			case bool:
				expected = fmt.Sprintf("b:%v", v)
			case float64:
				expected = fmt.Sprintf("i:%v", v)
			case string:
				expected = "s:" + v
			}
			f = append(f, a.State, a.Matcher, a.Argument, expected)
		}
		lines = append(lines, join(f...))
	}
	block(&b, lines)
	lines = nil
	for name := range used {
		text, err := m.shape(name)
		if err != nil {
			return "", err
		}
		lines = append(lines, text)
	}
	block(&b, lines)

	return b.String(), nil
}

type waiter struct {
	Operation          string
	Delay, MaxAttempts int
	Acceptors          []struct {
		State, Matcher, Argument string
		Expected                 any
	}
}

// names is a name or a list of them.
type names []string

func (n *names) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(n))
	}
	*n = []string{""}
	return json.Unmarshal(b, &(*n)[0])
}

type pages struct {
	InputToken   names  `json:"input_token"`
	OutputToken  names  `json:"output_token"`
	ResultKey    names  `json:"result_key"`
	NonAggregate names  `json:"non_aggregate_keys"`
	MoreResults  string `json:"more_results"`
	LimitKey     string `json:"limit_key"`
}

// use marks a shape and all that it refers to.
func (m *model) use(used map[string]bool, name string) {
	if used[name] {
		return
	}
	used[name] = true
	s := m.Shapes[name]
	for _, k := range s.Members.keys {
		var r ref
		if json.Unmarshal(s.Members.values[k], &r) == nil {
			m.use(used, r.Shape)
		}
	}
	for _, r := range []ref{s.Member, s.Key, s.Value} {
		if r.Shape != "" {
			m.use(used, r.Shape)
		}
	}
}

func (m *model) shape(name string) (string, error) {
	s := m.Shapes[name]
	f := []string{"s", name, s.Type}
	least := ""
	if s.Min != nil {
		least = s.Min.String()
	}
	switch s.Type {
	case "structure":
		for _, k := range s.Members.keys {
			var r ref
			if err := json.Unmarshal(s.Members.values[k], &r); err != nil {
				return "", err
			}
			in, out := r.LocationName, r.LocationName
			if m.Metadata.Protocol == "ec2" {
				if in != "" {
					in = strings.ToUpper(in[:1]) + in[1:]
				}
				if r.QueryName != "" {
					in = r.QueryName
				}
			}
			if in == k {
				in = ""
			}
			if out == k {
				out = ""
			}
			flags := ""
			if slices.Contains(s.Required, k) {
				flags += "r"
			}
			if r.IdempotencyToken {
				flags += "t"
			}
			if r.Deprecated {
				flags += "d"
			}
			f = append(f, strings.TrimRight(strings.Join([]string{k, r.Shape, in, out, flags}, ":"), ":"))
		}
	case "list":
		flat := "+"
		if m.Metadata.Protocol != "ec2" && !s.Flattened {
			flat = ""
		}
		f = append(f, s.Member.Shape, flat, least)
	case "map":
		f = append(f, s.Key.Shape, s.Value.Shape)
	case "string":
		f = append(append(f, least), s.Enum...)
	default:
		f = append(f, least)
	}
	return join(f...), nil
}

func read(dir, file string, v any) error {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if os.IsNotExist(err) { // later versions are compressed
		if f, e := os.Open(filepath.Join(dir, file+".gz")); e == nil {
			defer f.Close()
			z, e := gzip.NewReader(f)
			if e != nil {
				return e
			}
			b, err = io.ReadAll(z)
		}
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// block writes lines in order of their kinds and names, and an empty line.
func block(b *strings.Builder, lines []string) {
	slices.Sort(lines)
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
}

func line(b *strings.Builder, fields ...string) {
	b.WriteString(strings.Join(fields, "\t"))
	b.WriteByte('\n')
}

func join(fields ...string) string { return strings.Join(fields, "\t") }

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
