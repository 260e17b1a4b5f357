package awsargs

import (
	"slices"

	"moat/awsmodel"
)

// Skeleton gives a value of a shape with nothing in it, to be filled in. With
// names set, text is the member's name: what an answer looks like.
func Skeleton(s *awsmodel.Shape, names bool) any {
	if s == nil {
		return &awsmodel.Map{}
	}
	k := skeleton{names: names}
	return k.value(s, "")
}

type skeleton struct {
	names bool
	stack []string
}

func (k *skeleton) value(s *awsmodel.Shape, name string) any {
	k.stack = append(k.stack, s.Name)
	defer func() { k.stack = k.stack[:len(k.stack)-1] }()
	switch s.Kind {
	case awsmodel.Structure:
		m := &awsmodel.Map{}
		if n := len(k.stack) - 1; slices.Contains(k.stack[:n], s.Name) {
			return m
		}
		for i := range s.Members {
			m.Set(s.Members[i].Name, k.value(s.Members[i].Shape, s.Members[i].Name))
		}
		return m
	case awsmodel.List:
		elem := ""
		if k.names {
			elem = s.Elem.Name
		}
		return []any{k.value(s.Elem, elem)}
	case awsmodel.Mapping:
		m := &awsmodel.Map{}
		m.Set("KeyName", k.value(s.Elem, ""))
		return m
	case awsmodel.Integer, awsmodel.Long:
		return int64(0)
	case awsmodel.Float, awsmodel.Double:
		return 0.0
	case awsmodel.Boolean:
		return true
	case awsmodel.Timestamp:
		return "1970-01-01T00:00:00"
	case awsmodel.String:
		if k.names {
			return name
		}
		if len(s.Enum) > 0 {
			return s.Enum[0]
		}
		return ""
	}
	return nil
}
