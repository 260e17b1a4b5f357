package awsargs

import (
	"cmp"
	"slices"
)

// closeMatches gives the three choices at most that are most like a word, by
// the measure of Python's difflib with a cutoff of 0.8.
func closeMatches(word string, choices []string) []string {
	type match struct {
		ratio float64
		word  string
	}
	var best []match
	for _, c := range choices {
		if 2*min(len(c), len(word))*10 < 8*(len(c)+len(word)) {
			continue // cannot reach it
		}
		// difflib compares the choice with the word, in this order.
		if r := ratio(c, word); r >= 0.8 {
			best = append(best, match{r, c})
		}
	}
	slices.SortFunc(best, func(a, b match) int {
		return cmp.Or(cmp.Compare(b.ratio, a.ratio), cmp.Compare(b.word, a.word))
	})
	var words []string
	for _, m := range best[:min(3, len(best))] {
		words = append(words, m.word)
	}
	return words
}

// ratio measures likeness: twice the length of what agrees over the length of
// both (Ratcliff and Obershelp).
func ratio(a, b string) float64 {
	if len(a)+len(b) == 0 {
		return 1
	}
	return 2 * float64(agree(a, b)) / float64(len(a)+len(b))
}

// agree gives the length of the longest common part, and of what agrees to the
// left and to the right of it.
func agree(a, b string) int {
	at, bt, n := 0, 0, 0
	lengths := make([]int, len(b)+1)
	for i := range a {
		next := make([]int, len(b)+1)
		for j := range b {
			if a[i] == b[j] {
				k := lengths[j] + 1
				next[j+1] = k
				if k > n {
					at, bt, n = i-k+1, j-k+1, k
				}
			}
		}
		lengths = next
	}
	if n == 0 {
		return 0
	}
	return agree(a[:at], b[:bt]) + n + agree(a[at+n:], b[bt+n:])
}
