package names

import (
	"cmp"
	"slices"
	"strings"

	"moat/state"
)

// How many rows are looked at for words that begin alike or are spelled alike,
// and how many words are given.
const (
	mostLookedAt  = 20_000
	mostCompleted = 200
)

// Complete gives the names and ids of things of some kinds that begin with a
// text, each with the thing it stands for, sorted. A name that stands for
// several things comes as VPC/NAME. Of very many only some are given.
func Complete(r state.Reader, kinds []Kind, text string) []Completion {
	f := finder{r: r, kinds: kinds}
	byName, ids := map[string][]Thing{}, []Completion(nil)
	f.each(func(t Thing) {
		if t.Name != "" && (strings.HasPrefix(t.Name, text) || strings.Contains(text, "/")) {
			byName[t.Name] = append(byName[t.Name], t)
		}
		// Ids for those who begin to write one: a list of both is twice as long.
		if strings.HasPrefix(t.ID, text) && (text != "" || t.Name == "") {
			ids = append(ids, Completion{t.ID, t})
		}
	})
	out := ids
	for name, things := range byName {
		for _, t := range things {
			word := name
			if len(things) > 1 && t.VPC != "" {
				word = string(t.VPC) + "/" + name
			}
			if strings.HasPrefix(word, text) || strings.HasPrefix(name, text) && len(things) > 1 {
				out = append(out, Completion{word, t})
			}
		}
	}
	slices.SortFunc(out, func(a, b Completion) int {
		return cmp.Or(cmp.Compare(a.Word, b.Word), cmp.Compare(a.Thing.ID, b.Thing.ID))
	})
	return out[:min(len(out), mostCompleted)]
}

// A Completion is a word with what it stands for.
type Completion struct {
	Word  string
	Thing Thing
}

// each gives the things of the kinds that are rows, up to a number.
func (f *finder) each(yield func(Thing)) {
	n := 0
	for _, k := range f.kinds {
		if kinds[k].rows == nil {
			continue
		}
		for id := range kinds[k].rows.EachTagged(f.r, "") {
			if n++; n > mostLookedAt {
				return
			}
			yield(f.thing(k, id))
		}
	}
}

// near gives up to three names that are spelled nearly as a word.
func near(r state.Reader, q Query) []string {
	if len(q.Text) < 2 || len(q.Text) > 64 {
		return nil
	}
	text := strings.ToLower(q.Text)
	if _, name, ok := strings.Cut(text, "/"); ok && name != "" {
		text = name
	}
	type guess struct {
		name string
		far  int
	}
	var guesses []guess
	most := 1 + len(text)/5
	f := finder{r: r, kinds: q.Kinds}
	f.each(func(t Thing) {
		if t.Name == "" || len(t.Name)-len(text) > most+8 {
			return
		}
		name := strings.ToLower(t.Name)
		d := distance(text, name, most)
		if d > most && len(text) > 2 && strings.HasPrefix(name, text) {
			d = most
		}
		if d <= most {
			guesses = append(guesses, guess{t.Name, d})
		}
	})
	slices.SortFunc(guesses, func(a, b guess) int { return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name)) })
	var out []string
	for _, g := range slices.Compact(guesses) {
		if len(out) == 3 {
			break
		}
		out = append(out, g.name)
	}
	return out
}

// distance gives how many letters must be put in, left out, replaced or
// swapped with their neighbour to make b of a; past most it may give less than
// there are.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
