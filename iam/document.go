package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"

	"moat/fault"
)

// The bounds of a document. AWS takes 131,072 characters at most in a request;
// how many a policy of each kind may have is for those who keep it.
const (
	maxDocument = 131_072
	maxDepth    = 12 // a policy needs 6
)

// A node is a value of a JSON document with its place.
type node struct {
	kind       byte // '{', '[', 's' string, 'n' number, 'b' bool, 'z' null
	text       string
	start, end int
	members    []member // of an object, in order
	items      []node   // of an array
}

type member struct {
	name  string
	start int
	value node
}

// words says what a node is, in refusals.
func (n *node) words() string {
	switch n.kind {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 's':
		return fmt.Sprintf("%q", clip(n.text))
	case 'z':
		return "null"
	}
	return n.text
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// A document is JSON that was read, and where its lines begin.
type document struct {
	data []byte
	// notJSON is the sentence for what is no JSON, which depends on the kind of
	// policy.
	notJSON string
	lines   []int
	root    node
}

func readDocument(data []byte, kind PolicyKind) (*document, error) {
	d := &document{data: data, notJSON: syntaxErrors}
	if kind == TrustPolicy {
		d.notJSON = "This policy contains invalid Json"
	}
	if len(data) > maxDocument {
		return nil, fault.MalformedPolicyDocument.Say("The policy is too long: %d bytes, at most %d.", len(data), maxDocument)
	}
	d.lines = append(d.lines, 0)
	for i, c := range data {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		at := len(data)
		if s, ok := err.(*json.SyntaxError); ok {
			at = max(int(s.Offset)-1, 0)
		}
		return nil, d.wrong(at, d.notJSON, "%v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	root, err := d.read(dec, 0)
	if err != nil {
		return nil, err
	}
	d.root = root
	if _, err := dec.Token(); err != io.EOF {
		return nil, d.wrong(int(dec.InputOffset()), d.notJSON, "there is more after the policy")
	}
	return d, nil
}

func (d *document) read(dec *json.Decoder, depth int) (node, error) {
	n := node{start: d.skip(int(dec.InputOffset()))}
	if depth > maxDepth {
		return n, d.wrong(n.start, syntaxErrors, "nested more than %d deep", maxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return n, d.wrong(n.start, d.notJSON, "%v", err)
	}
	switch t := t.(type) {
	case string:
		n.kind, n.text = 's', t
	case json.Number:
		n.kind, n.text = 'n', t.String()
	case bool:
		n.kind, n.text = 'b', fmt.Sprint(t)
	case nil:
		n.kind = 'z'
	case json.Delim:
		n.kind = byte(t)
		seen := map[string]bool{}
		for dec.More() {
			var m member
			if n.kind == '{' {
				m.start = d.skip(int(dec.InputOffset()))
				name, err := dec.Token()
				if err != nil {
					return n, d.wrong(m.start, d.notJSON, "%v", err)
				}
				m.name = name.(string)
				if seen[m.name] {
					return n, d.wrong(m.start, syntaxErrors, "%q stands here twice", clip(m.name))
				}
				seen[m.name] = true
			}
			if m.value, err = d.read(dec, depth+1); err != nil {
				return n, err
			}
			if n.kind == '{' {
				n.members = append(n.members, m)
			} else {
				n.items = append(n.items, m.value)
			}
		}
		if _, err := dec.Token(); err != nil {
			return n, d.wrong(int(dec.InputOffset()), d.notJSON, "%v", err)
		}
	}
	n.end = int(dec.InputOffset())
	return n, nil
}

// skip gives the place of the token that comes after off.
func (d *document) skip(off int) int {
	for off < len(d.data) && bytes.IndexByte([]byte(" \t\r\n,:"), d.data[off]) >= 0 {
		off++
	}
	return off
}

func (d *document) position(off int) Position {
	line := sort.SearchInts(d.lines, off+1)
	return Position{line, off - d.lines[line-1] + 1}
}

const syntaxErrors = "Syntax errors in policy."

// wrong is the refusal of a document: AWS's sentence, then where and why.
func (d *document) wrong(at int, sentence, format string, args ...any) error {
	p := d.position(at)
	return fault.MalformedPolicyDocument.Say("%s (line %d, column %d: %s)", sentence, p.Line, p.Column, fmt.Sprintf(format, args...))
}

// texts gives a member that is a text or a list of them.
func (d *document) texts(name string, n *node) ([]node, error) {
	switch n.kind {
	case 's':
		return []node{*n}, nil
	case '[':
		for i := range n.items {
			if n.items[i].kind != 's' {
				return nil, d.wrong(n.items[i].start, syntaxErrors, "%s must be text, not %s", name, n.items[i].words())
			}
		}
		return slices.Clone(n.items), nil
	}
	return nil, d.wrong(n.start, syntaxErrors, "%s must be text or a list of texts, not %s", name, n.words())
}
