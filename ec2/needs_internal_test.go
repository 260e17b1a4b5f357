package ec2

import (
	"reflect"
	"strings"
	"testing"

	"moat/state"
)

// Every action says what permission it needs: one that does not is denied to
// everybody but root.
func TestEveryActionHasNeeds(t *testing.T) {
	for _, a := range Actions {
		i := a.Info()
		terms, ok := needs[i.Name]
		if !ok {
			t.Errorf("%s has no line in needTable", i.Name)
			continue
		}
		if len(terms) == 0 {
			t.Errorf("%s needs nothing at all", i.Name)
		}
		var specs bool
		if f, ok := i.In.FieldByName("TagSpecifications"); ok {
			specs = f.Type == reflect.TypeFor[[]TagSpecification]()
		}
		creates := false
		for _, x := range terms {
			creates = creates || x.new || x.ifTagged
			for _, path := range x.fields {
				if why := walk(i.In, path); why != "" {
					t.Errorf("%s: %s=%s: %s", i.Name, x.word, strings.Join(path, "."), why)
				}
			}
		}
		if specs && !creates {
			t.Errorf("%s takes tags and its line creates nothing: ec2:CreateTags would not be needed", i.Name)
		}
		if len(terms) == 1 && terms[0].word == "none" && i.Writes && !strings.HasPrefix(i.Name, "CreateDefault") {
			t.Errorf("%s changes something and names no resource", i.Name)
		}
		if strings.HasPrefix(i.Name, "Describe") && i.Writes {
			t.Errorf("%s describes and writes", i.Name)
		}
	}
}

// The rule itself can fail.
func TestNeedsOfNobody(t *testing.T) {
	if _, ok := Needs("NoSuchAction", nil, state.Scope{}, &struct{}{}); ok {
		t.Error("an action that is not in the table has needs")
	}
}

// walk finds a path in a type, and gives why it cannot.
func walk(t reflect.Type, path []string) string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return walk(t.Elem(), path)
	case reflect.String:
		if len(path) == 0 {
			return ""
		}
	case reflect.Struct:
		if len(path) > 0 {
			f, ok := t.FieldByName(path[0])
			if !ok {
				return "there is no field " + path[0]
			}
			return walk(f.Type, path[1:])
		}
	}
	return "no text is there"
}
