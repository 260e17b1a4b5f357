package awsquery

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"

	"moat/fault"
)

// Validate checks a request's struct against the constraints in its fields'
// tags, which are those of the service model:
//
//	valid:"required,min=1,max=64,enum=Active|Inactive" pattern:"[\\w+=,.@-]+"
//
// min and max bound the length of a text or a list, or the value of a number.
// All mistakes are told in one ValidationError, as the service tells them.
// What is absent meets every constraint but required; for a text the empty
// one is absent, behind a pointer it is not.
func Validate(in any) error {
	v := reflect.ValueOf(in)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	var wrong []string
	check(v, "", &wrong)
	if len(wrong) == 0 {
		return nil
	}
	s := ""
	if len(wrong) > 1 {
		s = "s"
	}
	return fault.ValidationError.Say("%d validation error%s detected: %s", len(wrong), s, strings.Join(wrong, "; "))
}

// constraints are those of one field.
type constraints struct {
	index    int
	name     string // as the service spells it in errors
	required bool
	min, max int64 // -1 for none
	enum     []string
	pattern  string
	match    *regexp.Regexp
	below    bool // there are structs below
}

var checked sync.Map // reflect.Type to []constraints

func constraintsOf(t reflect.Type) []constraints {
	if c, ok := checked.Load(t); ok {
		return c.([]constraints)
	}
	var all []constraints
	for i := range t.NumField() {
		f := t.Field(i)
		c := constraints{index: i, name: strings.ToLower(f.Name[:1]) + f.Name[1:], min: -1, max: -1}
		tag := f.Tag.Get("valid")
		for part := range strings.SplitSeq(tag, ",") {
			word, value, _ := strings.Cut(part, "=")
			n, _ := strconv.ParseInt(value, 10, 64)
			switch word {
			case "":
			case "required":
				c.required = true
			case "min":
				c.min = n
			case "max":
				c.max = n
			case "enum":
				c.enum = strings.Split(value, "|")
			default:
				panic(fmt.Sprintf("awsquery: %v.%s: constraint %q is not known", t, f.Name, word))
			}
		}
		if c.pattern = f.Tag.Get("pattern"); c.pattern != "" {
			c.match = regexp.MustCompile(`^(?:` + unicodeEscape.ReplaceAllString(c.pattern, `\x{$1}`) + `)$`)
		}
		e := f.Type
		for e.Kind() == reflect.Pointer || e.Kind() == reflect.Slice {
			e = e.Elem()
		}
		c.below = e.Kind() == reflect.Struct && e.PkgPath() != "time"
		if tag != "" || c.match != nil || c.below {
			all = append(all, c)
		}
	}
	checked.Store(t, all)
	return all
}

// unicodeEscape is how patterns of the model spell a character.
var unicodeEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4,6})`)

func check(v reflect.Value, at string, wrong *[]string) {
	for _, c := range constraintsOf(v.Type()) {
		c.check(v.Field(c.index), at+c.name, wrong)
	}
}

func (c *constraints) check(v reflect.Value, at string, wrong *[]string) {
	tell := func(value, constraint string) {
		*wrong = append(*wrong, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, at, constraint))
	}
	null := v.Kind() == reflect.String && v.Len() == 0
	if v.Kind() == reflect.Pointer {
		if null = v.IsNil(); !null {
			v = v.Elem()
		}
	}
	if v.Kind() == reflect.Slice {
		null = v.IsNil()
	}
	if null {
		if c.required {
			tell("null", "Member must not be null")
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		c.text(v.String(), tell)
	case reflect.Int32, reflect.Int64:
		c.bounds(v.Int(), "Member must have value", strconv.FormatInt(v.Int(), 10), tell)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct {
			// The constraints are those of the items.
			for i := range v.Len() {
				c.text(v.Index(i).String(), func(value, constraint string) {
					*wrong = append(*wrong, fmt.Sprintf("Value %s at '%s.%d.member' failed to satisfy constraint: %s", value, at, i+1, constraint))
				})
			}
			return
		}
		c.bounds(int64(v.Len()), "Member must have length", "[...]", tell)
		for i := range v.Len() {
			check(v.Index(i), fmt.Sprintf("%s.%d.member.", at, i+1), wrong)
		}
	case reflect.Struct:
		if c.below {
			check(v, at+".", wrong)
		}
	}
}

func (c *constraints) text(s string, tell func(value, constraint string)) {
	shown := "'" + clip(s) + "'"
	c.bounds(int64(length(s)), "Member must have length", clip(s), tell)
	if c.match != nil && !c.match.MatchString(s) {
		tell(shown, "Member must satisfy regular expression pattern: "+c.pattern)
	}
	if c.enum != nil {
		for _, e := range c.enum {
			if e == s {
				return
			}
		}
		tell(shown, "Member must satisfy enum value set: ["+strings.Join(c.enum, ", ")+"]")
	}
}

func (c *constraints) bounds(n int64, what, value string, tell func(value, constraint string)) {
	if c.min >= 0 && n < c.min {
		tell("'"+value+"'", fmt.Sprintf("%s greater than or equal to %d", what, c.min))
	}
	if c.max >= 0 && n > c.max {
		tell("'"+value+"'", fmt.Sprintf("%s less than or equal to %d", what, c.max))
	}
}

// length counts as the service does, in UTF-16.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// clip keeps a refusal from carrying back all of what was sent.
func clip(s string) string {
	if len(s) <= 1024 {
		return s
	}
	return s[:1024] + "..."
}
