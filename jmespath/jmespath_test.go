package jmespath_test

import (
	"strings"
	"testing"

	"moat/awsargs"
	"moat/awsformat"
	"moat/jmespath"
)

const world = `{"z":{"b":1,"a":[{"n":"x","v":2},{"n":"y","v":1},{"n":"z"}]},"list":[[1,2],[3],4],"empty":[],"text":"äb","zero":0}`

// Answers are in the order of what they come from. For each, a neighbour that
// gives something else.
func TestSearch(t *testing.T) {
	v, err := awsargs.ParseJSON(world)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ expression, want string }{
		{"z", `{"b": 1, "a": [{"n": "x", "v": 2}, {"n": "y", "v": 1}, {"n": "z"}]}`},
		{"z.a[].{v:v,n:n}", `[{"v": 2, "n": "x"}, {"v": 1, "n": "y"}, {"v": null, "n": "z"}]`},
		{"z.a[].v", "[2, 1]"}, {"z.a[*].[v]", "[[2], [1], [null]]"},
		{"z.a[?n==`x`].v", "[2]"}, {"z.a[?n=='x'].v | [0]", "2"}, {"z.a[?n==\"x\"].v", "[]"},
		{"z.a[?v>`1`].n", `["x"]`}, {"z.a[?v>=`1`].n", `["x", "y"]`}, {"z.a[?v].n", `["x", "y"]`}, {"z.a[?!v].n", `["z"]`},
		{"list[]", "[1, 2, 3, 4]"}, {"list[0][1]", "2"}, {"list[-1]", "4"}, {"list[9]", "null"}, {"list[::-1]", "[4, [3], [1, 2]]"}, {"list[:1]", "[[1, 2]]"},
		{"sort_by(z.a[?v], &v)[].n", `["y", "x"]`}, {"max_by(z.a[?v], &v).n", `"x"`}, {"keys(z)", `["b", "a"]`}, {"length(text)", "2"},
		{"empty || zero", "0"}, {"zero && text", `"äb"`}, {"empty && text", "[]"}, {"nothing.more", "null"}, {"z.*", `[1, [{"n": "x", "v": 2}, {"n": "y", "v": 1}, {"n": "z"}]]`},
		{"join('-', z.a[].n)", `"x-y-z"`}, {"avg(list[0])", "1.5"}, {"sum(list[0])", "3"}, {"to_string(list[0])", `"[1,2]"`}, {"merge(z, {c: zero}).c", "0"},
	} {
		e, err := jmespath.Parse(row.expression)
		if err != nil {
			t.Errorf("%s: %v", row.expression, err)
			continue
		}
		out, err := e.Search(v)
		if err != nil {
			t.Errorf("%s: %v", row.expression, err)
			continue
		}
		if got := strings.ReplaceAll(string(awsformat.AppendLine(nil, out)), `\u00e4`, "ä"); got != row.want {
			t.Errorf("%s\n got %s\nwant %s", row.expression, got, row.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for expression, want := range map[string]string{
		"a[": "Incomplete expression", "a b": "Unexpected token: b", "a.": "Expecting: ['quoted_identifier'", "#": "Unknown token #", "'a": "Unclosed ' delimiter",
		"f(a)": "Unknown function: f()", "length(a)": "In function length(), invalid type for value: None", "sort_by(a)": "Expected 2 arguments for function sort_by(), received 1",
	} {
		e, err := jmespath.Parse(expression)
		if err == nil {
			_, err = e.Search(nil)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", expression, err, want)
		}
	}
}

// No text makes the parser or the search panic.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a.b[0]", "a[?b==`1`].{c:d}", "sort_by(@,&a)[::-1]", "a | b || !c", "*.[a,b]", "\"q\"", "a[*].b[]"} {
		f.Add(s)
	}
	v, _ := awsargs.ParseJSON(world)
	f.Fuzz(func(t *testing.T, s string) {
		if e, err := jmespath.Parse(s); err == nil {
			_, _ = e.Search(v)
		}
	})
}
