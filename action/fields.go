package action

import (
	"reflect"
	"sync"
)

// fields are the places of the members that many inputs share; nil where an
// input lacks one.
type fields struct{ dryRun, token, filters, maxResults, nextToken []int }

var fieldCache sync.Map // reflect.Type → *fields

func fieldsOf(t reflect.Type) *fields {
	if f, ok := fieldCache.Load(t); ok {
		return f.(*fields)
	}
	at := func(name string, want reflect.Type) []int {
		if f, ok := t.FieldByName(name); ok && f.Type == want {
			return f.Index
		}
		return nil
	}
	f := &fields{
		dryRun:     at("DryRun", reflect.TypeFor[bool]()),
		token:      at("ClientToken", reflect.TypeFor[string]()),
		filters:    at("Filters", reflect.TypeFor[[]Filter]()),
		maxResults: at("MaxResults", reflect.TypeFor[*int32]()),
		nextToken:  at("NextToken", reflect.TypeFor[string]()),
	}
	fieldCache.Store(t, f)
	return f
}
