package awscli

import (
	"crypto/rand"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"moat/awsargs"
	"moat/awsformat"
	"moat/awsmodel"
)

// newToken makes an idempotency token: a random UUID.
func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// readYAML reads what --cli-input-yaml is given.
func readYAML(text string) (any, error) {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		return nil, err
	}
	if n.Kind == 0 {
		return nil, nil
	}
	return fromNode(&n)
}

func fromNode(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.DocumentNode:
		return fromNode(n.Content[0])
	case yaml.AliasNode:
		return fromNode(n.Alias)
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			v, err := fromNode(c)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		m := &awsmodel.Map{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := fromNode(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m.Set(n.Content[i].Value, v)
		}
		return m, nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case int:
		return int64(v), nil
	case nil, bool, float64, int64, []byte:
		return v, nil
	case string:
		if n.Tag == "!!binary" {
			return []byte(v), nil
		}
		return v, nil
	}
	return n.Value, nil
}

// yamlSkeleton gives an operation's empty input as YAML, with what is required
// and what may be chosen in comments.
func yamlSkeleton(op *awsmodel.Operation) []byte {
	v := awsargs.Skeleton(op.In, false)
	return awsformat.AppendOrdered(nil, v, func(path []string) string {
		s := op.In
		var m *awsmodel.Member
		for _, name := range path {
			for s != nil && s.Kind == awsmodel.List {
				s = s.Elem
			}
			if m = s.Member(name); m == nil {
				return ""
			}
			s = m.Shape
		}
		var parts []string
		if m.Required {
			parts = append(parts, "[REQUIRED]")
		}
		if m.Doc != "" {
			parts = append(parts, m.Doc)
		}
		if len(m.Shape.Enum) > 0 {
			parts = append(parts, "Valid values are: "+strings.Join(m.Shape.Enum, ", ")+".")
		}
		return strings.Join(parts, " ")
	})
}

// structured shows an error as data, where that is asked for.
func (s *session) structured(refused *refusal, status int, message string) bool {
	m := &awsmodel.Map{}
	if refused != nil {
		m.Set("Code", refused.code)
		m.Set("Message", refused.message)
	} else {
		m.Set("Code", map[int]string{exitParam: "ParamValidation", exitConfig: "Configuration"}[status])
		if status == exitGeneral {
			m.Set("Code", "General")
		}
		m.Set("Message", message)
	}
	var b []byte
	switch s.errorFormat {
	case "json":
		b = append(awsformat.AppendJSON(nil, m), '\n')
	case "yaml":
		b = awsformat.AppendYAML(nil, m)
	case "text":
		b = awsformat.AppendText(nil, m)
	case "table":
		b, _ = awsformat.Table{Width: 80}.Append(nil, "Error", m)
	default:
		return false
	}
	_, _ = s.err.Write(b)
	return true
}
