package awsargs_test

import (
	"fmt"
	"strings"
	"testing"

	"moat/awsargs"
	"moat/awsformat"
	"moat/awsmodel"
)

// operation is one that takes every kind of value.
func operation() *awsmodel.Operation {
	text, whole := &awsmodel.Shape{Name: "String"}, &awsmodel.Shape{Name: "Integer", Kind: awsmodel.Integer, Min: 5, HasMin: true}
	flag := &awsmodel.Shape{Name: "Boolean", Kind: awsmodel.Boolean}
	texts := &awsmodel.Shape{Name: "Texts", Kind: awsmodel.List, Elem: text}
	filter := &awsmodel.Shape{Name: "Filter", Kind: awsmodel.Structure, Members: []awsmodel.Member{{Name: "Name", Shape: text}, {Name: "Values", Shape: texts}}}
	in := &awsmodel.Shape{Name: "In", Kind: awsmodel.Structure, Members: []awsmodel.Member{
		{Name: "GroupName", Shape: text, Required: true}, {Name: "GroupIds", Shape: texts}, {Name: "MaxResults", Shape: whole}, {Name: "DryRun", Shape: flag},
		{Name: "Filters", Shape: &awsmodel.Shape{Name: "Filters", Kind: awsmodel.List, Elem: filter}}, {Name: "One", Shape: filter},
		{Name: "EnableIt", Shape: &awsmodel.Shape{Name: "Wrapped", Kind: awsmodel.Structure, Members: []awsmodel.Member{{Name: "Value", Shape: flag}}}},
	}}
	return &awsmodel.Operation{Service: &awsmodel.Service{Name: "ec2"}, Name: "DoIt", In: in}
}

// A line, and the parameters or the refusal that it makes.
func TestRead(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		{"--group-name a", `{"GroupName": "a"}`},
		{"--group-n a --max 7", `{"GroupName": "a", "MaxResults": 7}`},
		{"--group-name=a --dry-run", `{"GroupName": "a", "DryRun": true}`},
		{"--group-name a --dry-run --no-dry-run", `{"GroupName": "a", "DryRun": false}`},
		{"--group-name a --group-ids x y", `{"GroupName": "a", "GroupIds": ["x", "y"]}`},
		{"--group-name a --group-ids", `{"GroupName": "a", "GroupIds": []}`},
		{`--group-name a --group-ids ["x"]`, `{"GroupName": "a", "GroupIds": ["x"]}`},
		{"--group-name a --filters Name=n,Values=x,y Name=m,Values=z", `{"GroupName": "a", "Filters": [{"Name": "n", "Values": ["x", "y"]}, {"Name": "m", "Values": ["z"]}]}`},
		{"--group-name a --one Values=[x,y],Name=n", `{"GroupName": "a", "One": {"Values": ["x", "y"], "Name": "n"}}`},
		{`--group-name a --one {"Name":"n"}`, `{"GroupName": "a", "One": {"Name": "n"}}`},
		{"--group-name a --enable-it", `{"GroupName": "a", "EnableIt": {"Value": true}}`},
		{"--group-name a --no-enable-it", `{"GroupName": "a", "EnableIt": {"Value": false}}`},
		{"--group-name a --enable-it Value=false", `{"GroupName": "a", "EnableIt": {"Value": false}}`},
		{"--group-name file://x", `{"GroupName": "loaded"}`},
		{`--cli-input-json {"GroupName":"j","MaxResults":9} --max-results 8`, `{"MaxResults": 8, "GroupName": "j"}`},
		{"--dry-run", "the following arguments are required: --group-name"},
		{"--group-name", "argument --group-name: expected one argument"},
		{"--group-name a --enable-it --no-enable-it", `Cannot specify both the "--enable-it" option and the "--no-enable-it" option.`},
		{"--group-name a --nonsense b", "Unknown options: --nonsense, b"},
		{"--group-name a --group-", "ambiguous option: --group- could match --group-name, --group-ids"},
		{"--group-name a --max-results x", "invalid literal for int() with base 10: 'x'"},
		{"--group-name a --filters Name", "Error parsing parameter '--filters': Expected: '=', received: 'EOF' for input:\nName\n    ^"},
	} {
		load := func(word string) (any, bool, error) { return "loaded", word == "file://x", nil }
		r, err := awsargs.For(operation(), false).Read(strings.Fields(row.line), true, load, nil)
		got := fmt.Sprint(err)
		if err == nil {
			got = string(awsformat.AppendLine(nil, r.Params))
		}
		if got != row.want {
			t.Errorf("%s\n got %s\nwant %s", row.line, got, row.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for given, want := range map[string]string{
		`{"GroupName":"a"}`:                "",
		`{}`:                               `Missing required parameter in input: "GroupName"`,
		`{"GroupName":5}`:                  "Invalid type for parameter GroupName, value: 5, type: <class 'int'>, valid types: <class 'str'>",
		`{"GroupName":"a","MaxResults":4}`: "Invalid value for parameter MaxResults, value: 4, valid min value: 5",
		`{"GroupName":"a","MaxResults":5}`: "",
		`{"GroupName":"a","Filters":[{"Nome":"x"}]}`:            `Unknown parameter in Filters[0]: "Nome", must be one of: Name, Values`,
		`{"GroupName":"a","One":{"Name":"x","Values":["y",1]}}`: "Invalid type for parameter One.Values[1], value: 1, type: <class 'int'>, valid types: <class 'str'>",
	} {
		v, err := awsargs.ParseJSON(given)
		if err != nil {
			t.Fatal(err)
		}
		if got := awsargs.Validate(v.(*awsmodel.Map), operation().In); got != want {
			t.Errorf("%s\n got %s\nwant %s", given, got, want)
		}
	}
}

// No value makes the readers panic, and what was read as JSON is written and
// read alike.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"Name=a,Values=b,c", "Name='x y',Values=[a,b]", `{"Name":"a","Values":["\u00e4\n"]}`, "Name={a=[b,{c=d}]}", `[1,2.5e3,null,"x"]`, "a=\\,b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = awsargs.For(operation(), false).Read([]string{"--group-name", "a", "--one", s, "--filters", s}, true, nil, nil)
		v, err := awsargs.ParseJSON(s)
		if err != nil {
			return
		}
		text := awsformat.AppendJSON(nil, v)
		again, err := awsargs.ParseJSON(string(text))
		if err != nil {
			return // of numbers that JSON does not have
		}
		if got := awsformat.AppendJSON(nil, again); string(got) != string(text) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
