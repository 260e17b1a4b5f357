// Package awsargs knows how the AWS CLI reads a command line: options and
// their values, shorthand and JSON, what a service refuses before it is asked,
// and the words in which all of that is refused. Its words and its rules are
// those of the AWS CLI 2 and of the argparse module that it is built on, as
// scripts depend on both. It opens nothing: what a file holds is handed in.
package awsargs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An Arity says how many words follow an option.
type Arity uint8

const (
	One  Arity = iota // exactly one
	Zero              // none: the option stands for Const
	Opt               // one, or none, which stands for Const
	Any               // any number
	Many              // at least one
)

// An Option is an option, or a positional word if Name has no dashes.
type Option struct {
	Name     string
	Dest     string // where the value goes; "" for Name without dashes
	Arity    Arity
	Const    any
	Default  any
	Whole    bool // the value is a whole number
	Choices  []string
	Required bool
}

func (o *Option) positional() bool { return !strings.HasPrefix(o.Name, "-") }

// Key gives where the option's value goes.
func (o *Option) Key() string {
	if o.Dest != "" {
		return o.Dest
	}
	return strings.ReplaceAll(strings.TrimLeft(o.Name, "-"), "-", "_")
}

// A Parser reads words as options. An option that stands later in the list
// takes the place of an earlier one of the same name.
type Parser struct {
	Options []*Option
}

// A UsageError is a line that does not fit the options; the usage is shown
// with it.
type UsageError struct{ Message string }

func (e *UsageError) Error() string { return e.Message }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

func (o *Option) refuse(format string, args ...any) error {
	return usage("argument %s: %s", o.Name, fmt.Sprintf(format, args...))
}

var negativeNumber = regexp.MustCompile(`^-\d+$|^-\d*\.\d+$`)

// found is what a word that begins with a dash turned out to be.
type found struct {
	option   *Option // nil if none of ours
	explicit string  // what follows = in the same word
	has      bool
}

// run is one reading of a line.
type run struct {
	p       *Parser
	args    []string
	pattern []byte // O, A or - for each word
	found   map[int]found
	values  map[string]any
	seen    map[*Option]bool
	rest    []string
	left    []*Option // positionals to come
}

// Parse reads words. What is no option of the parser is left over. A value is
// nil, true or false, a string, an int, or a []string.
func (p *Parser) Parse(args []string) (values map[string]any, rest []string, err error) {
	r := &run{p: p, args: args, found: map[int]found{}, values: map[string]any{}, seen: map[*Option]bool{}}
	for _, o := range p.Options {
		if _, ok := r.values[o.Key()]; !ok {
			r.values[o.Key()] = o.Default
		}
		if o.positional() {
			r.left = append(r.left, o)
		}
	}
	last := -1
	for i, a := range args {
		if a == "--" {
			r.pattern = append(r.pattern, '-')
			for range args[i+1:] {
				r.pattern = append(r.pattern, 'A')
			}
			break
		}
		f, ok, err := r.optional(a)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			r.pattern = append(r.pattern, 'A')
			continue
		}
		r.pattern = append(r.pattern, 'O')
		r.found[i] = f
		last = i
	}
	at := 0
	for at <= last {
		next := at
		for r.pattern[next] != 'O' {
			next++
		}
		if at != next {
			end, err := r.positionals(at)
			if err != nil {
				return nil, nil, err
			}
			if end > at {
				at = end
				continue
			}
		}
		if r.pattern[at] != 'O' {
			r.rest = append(r.rest, args[at:next]...)
			at = next
		}
		if at, err = r.option(at); err != nil {
			return nil, nil, err
		}
	}
	stop, err := r.positionals(at)
	if err != nil {
		return nil, nil, err
	}
	r.rest = append(r.rest, args[stop:]...)
	var missing []string
	for _, o := range p.Options {
		if o.Required && !r.seen[o] {
			missing = append(missing, o.Name)
		}
	}
	if missing != nil {
		return nil, nil, usage("the following arguments are required: %s", strings.Join(missing, ", "))
	}
	return r.values, r.rest, nil
}

// optional says whether a word is to be read as an option.
func (r *run) optional(word string) (f found, ok bool, err error) {
	if word == "" || word[0] != '-' {
		return found{}, false, nil
	}
	if o := r.p.named(word); o != nil {
		return found{option: o}, true, nil
	}
	if len(word) == 1 {
		return found{}, false, nil
	}
	name, value, has := strings.Cut(word, "=")
	if has {
		if o := r.p.named(name); o != nil {
			return found{o, value, true}, true, nil
		}
	}
	if strings.HasPrefix(word, "--") { // any beginning that only one option has
		var matches []*Option
		for _, o := range r.p.Options {
			if !o.positional() && strings.HasPrefix(o.Name, name) {
				matches = append(matches, o)
			}
		}
		if len(matches) > 1 {
			var names []string
			for _, o := range matches {
				names = append(names, o.Name)
			}
			return found{}, false, usage("ambiguous option: %s could match %s", word, strings.Join(names, ", "))
		}
		if len(matches) == 1 {
			return found{matches[0], value, has}, true, nil
		}
	}
	if negativeNumber.MatchString(word) || strings.Contains(word, " ") {
		return found{}, false, nil
	}
	return found{}, true, nil
}

func (p *Parser) named(name string) *Option {
	for i := len(p.Options) - 1; i >= 0; i-- {
		if o := p.Options[i]; o.Name == name && !o.positional() {
			return o
		}
	}
	return nil
}

// count gives how many of the words from at an option takes; -1 if they do not
// fit. Dashes do not count among the words of an option.
func (r *run) count(a Arity, pattern []byte) int {
	n := 0
	for n < len(pattern) && pattern[n] == 'A' {
		n++
	}
	switch a {
	case One:
		if n == 0 {
			return -1
		}
		return 1
	case Opt:
		return min(n, 1)
	case Many:
		if n == 0 {
			return -1
		}
		return n
	case Any:
		return n
	}
	return 0
}

// option reads the option at a place, and gives the place after it.
func (r *run) option(at int) (int, error) {
	f := r.found[at]
	o := f.option
	if o == nil {
		r.rest = append(r.rest, r.args[at])
		return at + 1, nil
	}
	if f.has {
		if o.Arity == Zero {
			return 0, o.refuse("ignored explicit argument %s", Repr(f.explicit))
		}
		return at + 1, r.take(o, []string{f.explicit})
	}
	n := r.count(o.Arity, r.pattern[at+1:])
	if n < 0 {
		if o.Arity == Many {
			return 0, o.refuse("expected at least one argument")
		}
		return 0, o.refuse("expected one argument")
	}
	return at + 1 + n, r.take(o, r.args[at+1:at+1+n])
}

// positionals reads as many positional words as there are from a place on.
func (r *run) positionals(at int) (int, error) {
	for len(r.left) > 0 {
		o := r.left[0]
		skip := 0
		for at+skip < len(r.pattern) && r.pattern[at+skip] == '-' {
			skip++
		}
		n := 0
		if at+skip < len(r.pattern) && r.pattern[at+skip] == 'A' {
			n = 1
		}
		if n == 0 && o.Arity == One {
			break
		}
		if n == 0 {
			skip = 0
		}
		r.left = r.left[1:]
		if err := r.take(o, r.args[at+skip:at+skip+n]); err != nil {
			return 0, err
		}
		at += skip + n
	}
	return at, nil
}

// take puts an option's words among the values.
func (r *run) take(o *Option, words []string) error {
	if len(words) > 0 || !o.positional() {
		r.seen[o] = true
	}
	if o.Arity == Zero {
		r.values[o.Key()] = o.Const
		return nil
	}
	for _, w := range words {
		if o.Whole {
			if _, err := strconv.Atoi(strings.TrimSpace(w)); err != nil {
				return o.refuse("invalid int value: %s", Repr(w))
			}
		}
		if o.Choices != nil && !slices.Contains(o.Choices, w) {
			return o.refuse("%s", badChoice(w, o.Choices))
		}
	}
	switch {
	case o.Arity == Any || o.Arity == Many:
		r.values[o.Key()] = slices.Clone(words)
		if len(words) == 0 {
			r.values[o.Key()] = []string{}
		}
	case len(words) == 0:
		r.values[o.Key()] = o.Const
	case o.Whole:
		n, _ := strconv.Atoi(strings.TrimSpace(words[0]))
		r.values[o.Key()] = n
	default:
		r.values[o.Key()] = words[0]
	}
	return nil
}

// badChoice lists what there is to choose from, two a line, and what may have
// been meant.
func badChoice(word string, choices []string) string {
	var b strings.Builder
	b.WriteString("Invalid choice, valid choices are:\n")
	for i := 0; i < len(choices); i += 2 {
		fmt.Fprintf(&b, "\n%-40s", choices[i])
		if i+1 < len(choices) {
			fmt.Fprintf(&b, " | %-40s", choices[i+1])
		}
	}
	if close := closeMatches(word, choices); close != nil {
		fmt.Fprintf(&b, "\n\n\nInvalid choice: %s, maybe you meant:\n", Repr(word))
		for _, c := range close {
			b.WriteString("\n  * " + c)
		}
	}
	return b.String()
}
