package ec2query

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"moat/fault"
)

func parse(t testing.TB, body string) *Form {
	t.Helper()
	f, err := ParseForm("", []byte(body), Limits{})
	if err != nil {
		t.Fatalf("ParseForm(%q): %v", body, err)
	}
	return f
}

// check compares an error with a wanted "Code: message", or "" for none.
func check(t *testing.T, what string, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
		if _, ok := errors.AsType[*fault.Error](err); !ok {
			t.Errorf("%s: %v is no fault", what, err)
		}
	}
	if got != want {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestParseForm(t *testing.T) {
	pairs := func(kv ...string) (p []Pair) {
		for i := 0; i < len(kv); i += 2 {
			p = append(p, Pair{kv[i], kv[i+1]})
		}
		return p
	}
	for _, c := range []struct {
		name, query, body string
		want              []Pair
	}{
		{"nothing", "", "", nil},
		{"a body", "", "A=1&B=2", pairs("A", "1", "B", "2")},
		{"a query string", "A=1&B=2", "", pairs("A", "1", "B", "2")},
		{"both, the query first", "B=2", "A=1", pairs("B", "2", "A", "1")},
		{"plus and %20 are spaces", "", "A=a+b%20c", pairs("A", "a b c")},
		{"%2B is a plus", "", "A=%2B%2b", pairs("A", "++")},
		{"keys are escaped too", "", "Tag%2E1=x", pairs("Tag.1", "x")},
		{"UTF-8", "", "A=%C3%BC", pairs("A", "ü")},
		{"empty value", "", "A=", pairs("A", "")},
		{"no equals sign", "", "A&B=1", pairs("A", "", "B", "1")},
		{"the first equals sign divides", "", "A=b=c", pairs("A", "b=c")},
		{"empty pairs are skipped", "", "&&A=1&", pairs("A", "1")},
		{"a semicolon is text", "", "A=1;B=2", pairs("A", "1;B=2")},
		{"twice with one value", "", "A=1&A=1", pairs("A", "1", "A", "1")},
	} {
		f, err := ParseForm(c.query, []byte(c.body), Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !slices.Equal(f.pairs, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, f.pairs, c.want)
		}
	}
}

func TestParseFormRefuses(t *testing.T) {
	small := Limits{Bytes: 60, Pairs: 3, Key: 22, Index: 50, Depth: 4}
	for _, c := range []struct {
		name, body, want string
	}{
		{"escape cut off", "A=%2", "MalformedQueryString: Incomplete trailing escape % sequence"},
		{"escape cut off at once", "A=%", "MalformedQueryString: Incomplete trailing escape % sequence"},
		{"escape cut off by the next pair", "A=%4&B=1", "MalformedQueryString: Incomplete trailing escape % sequence"},
		{"escape with other letters", "A=%zz", "MalformedQueryString: Illegal hex character in escape % pattern: %zz"},
		{"escape with one other letter", "A=%4g", "MalformedQueryString: Illegal hex character in escape % pattern: %4g"},
		{"escape in a key", "%g1=1", "MalformedQueryString: Illegal hex character in escape % pattern: %g1"},
		{"not UTF-8", "A=%C3", "MalformedQueryString: The request contains text that is not UTF-8"},
		{"not UTF-8 although key and value together are", "A%C3=%BC", "MalformedQueryString: The request contains text that is not UTF-8"},
		{"not UTF-8, raw", "A=\xff", "MalformedQueryString: The request contains text that is not UTF-8"},
		{"no key", "=1", "MalformedQueryString: The request contains a value without a parameter name"},
		{"two values", "A=1&A=2", "MalformedQueryString: The parameter A appears more than once with different values"},
		{"two values, apart", "A=1&B=1&A=", "MalformedQueryString: The parameter A appears more than once with different values"},
		{"two actions", "Action=A&Action=B", "MalformedQueryString: The parameter Action appears more than once with different values"},
		{"60 bytes", "A=" + strings.Repeat("a", 58), ""},
		{"61 bytes", "A=" + strings.Repeat("a", 59), "RequestEntityTooLarge: Request size exceeded the limit of 60 bytes"},
		{"3 pairs", "A=1&B=1&C=1", ""},
		{"4 pairs", "A=1&B=1&C=1&D=1", "MalformedQueryString: The request contains more than 3 parameters"},
		{"a key of 22 bytes", strings.Repeat("k", 22), ""},
		{"a key of 23 bytes", strings.Repeat("k", 23), "MalformedQueryString: The request contains a parameter name longer than 22 bytes"},
		{"4 levels", "a.1.b.2=1", ""},
		{"5 levels", "a.1.b.2.c=1", "MalformedQueryString: The parameter a.1.b.2.c is nested deeper than 4 levels"},
		{"number 50", "a.50=1", ""},
		{"number 51", "a.51=1", "MalformedQueryString: The parameter a.51 has a number greater than 50"},
		{"a number that would overflow to 1", "a.18446744073709551617=1", "MalformedQueryString: The parameter a.18446744073709551617 has a number greater than 50"},
		{"number too long for any integer", "a.99999999999999999=1", "MalformedQueryString: The parameter a.99999999999999999 has a number greater than 50"},
	} {
		_, err := ParseForm("", []byte(c.body), small)
		check(t, c.name, err, c.want)
	}
	_, err := ParseForm(strings.Repeat("a", 30), []byte(strings.Repeat("b", 31)), small)
	check(t, "query and body count together", err, "RequestEntityTooLarge: Request size exceeded the limit of 60 bytes")
}

func TestFormAccess(t *testing.T) {
	f := parse(t, "Version=2016-11-15&GroupId.10=j&GroupId.9=i&Action=Describe&Empty=&X-Amz-Date=d&SignatureMethod=m&AWSAccessKeyId=k&Timestamp=t&Expires=e&SecurityToken=s&Empty=")
	if got := f.Get("Action"); got != "Describe" {
		t.Errorf("Get(Action) = %q", got)
	}
	if v, ok := f.Lookup("Empty"); v != "" || !ok {
		t.Errorf("Lookup(Empty) = %q, %v", v, ok)
	}
	if v, ok := f.Lookup("Absent"); v != "" || ok {
		t.Errorf("Lookup(Absent) = %q, %v", v, ok)
	}
	var params []string
	for k, v := range f.Params() {
		params = append(params, k+"="+v)
	}
	if want := []string{"Empty=", "GroupId.9=i", "GroupId.10=j"}; !slices.Equal(params, want) {
		t.Errorf("Params: %q, want %q", params, want)
	}
	first := ""
	for k := range f.Pairs() {
		first = k
		break
	}
	if first != "Version" {
		t.Errorf("Pairs begin with %q, want what was sent first", first)
	}
}

func TestCompareKeys(t *testing.T) {
	sorted := []string{
		"A", "A.0", "A.1", "A.1.X", "A.2", "A.10", "A.10.B", "A.100", "A.", "A.01", "A.1a", "A.B", "A-", "A0", "AB",
	}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, want := compareKeys(a, b), compareInt(i, j); got != want {
				t.Errorf("compareKeys(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func compareInt(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestDecode(t *testing.T) {
	decode := func(body string) (describeIn, error) {
		var in describeIn
		err := parse(t, "Action=A&Version=V&"+body).Decode(&in)
		return in, err
	}
	for _, c := range []struct {
		name, body string
		want       describeIn
	}{
		{"nothing", "", describeIn{}},
		{"a list", "GroupId.1=a&GroupId.2=b", describeIn{GroupIds: []groupID{"a", "b"}}},
		{"in any order", "GroupId.2=b&GroupId.1=a", describeIn{GroupIds: []groupID{"a", "b"}}},
		{"by number, not by letter", "GroupId.10=j&GroupId.9=i", describeIn{GroupIds: []groupID{"i", "j"}}},
		{"from 0", "GroupId.0=a&GroupId.1=b", describeIn{GroupIds: []groupID{"a", "b"}}},
		{"with gaps", "GroupId.3=a&GroupId.100000=b", describeIn{GroupIds: []groupID{"a", "b"}}},
		{"a list of structs with lists", "Filter.1.Name=n&Filter.1.Value.2=w&Filter.1.Value.1=v&Filter.2.Name=m",
			describeIn{Filters: []filter{{"n", []string{"v", "w"}}, {"m", nil}}}},
		{"an empty item", "GroupId.1=", describeIn{GroupIds: []groupID{""}}},
		{"the same pair twice", "GroupId.1=a&GroupId.1=a", describeIn{GroupIds: []groupID{"a"}}},
		{"absent", "MaxResults=5", describeIn{paging: paging{MaxResults: new(int32(5))}}},
		{"empty", "NextToken=", describeIn{paging: paging{NextToken: new("")}}},
		{"True", "DryRun=True", describeIn{DryRun: true}},
		{"1", "DryRun=1", describeIn{DryRun: true}},
		{"FALSE", "DryRun=FALSE", describeIn{}},
		{"0", "DryRun=0", describeIn{}},
		{"a signature in the query", "X-Amz-Signature=1&Signature=2&SignatureVersion=2&GroupId.1=a", describeIn{GroupIds: []groupID{"a"}}},
	} {
		got, err := decode(c.body)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}

	for _, c := range []struct{ name, body, want string }{
		{"no such member", "GroupName=x", "UnknownParameter: The parameter GroupName is not recognized"},
		{"no such list", "GroupName.1=x", "UnknownParameter: The parameter GroupName.1 is not recognized"},
		{"another case", "groupId.1=x", "UnknownParameter: The parameter groupId.1 is not recognized"},
		{"the Go name where the wire has another", "GroupIds.1=x", "UnknownParameter: The parameter GroupIds.1 is not recognized"},
		{"the embedded struct itself", "paging.MaxResults=5", "UnknownParameter: The parameter paging.MaxResults is not recognized"},
		{"no such member of an item", "Filter.1.Nome=x", "UnknownParameter: The parameter Filter.1.Nome is not recognized"},
		{"a list without a number", "GroupId=x", "UnknownParameter: The parameter GroupId is not recognized"},
		{"an empty list, which EC2 does not have", "GroupId=", "UnknownParameter: The parameter GroupId is not recognized"},
		{"a list with a name", "GroupId.x=x", "UnknownParameter: The parameter GroupId.x is not recognized"},
		{"a list with nothing after the dot", "GroupId.=x", "UnknownParameter: The parameter GroupId. is not recognized"},
		{"a list as of STS", "GroupId.member.1=x", "UnknownParameter: The parameter GroupId.member.1 is not recognized"},
		{"a leading zero", "GroupId.1=a&GroupId.01=b", "UnknownParameter: The parameter GroupId.01 is not recognized"},
		{"a sign", "GroupId.-1=a", "UnknownParameter: The parameter GroupId.-1 is not recognized"},
		{"a struct with a value", "Filter.1=a", "UnknownParameter: The parameter Filter.1 is not recognized"},
		{"a struct with a value and members", "Filter.1=a&Filter.1.Name=x", "UnknownParameter: The parameter Filter.1 is not recognized"},
		{"below a scalar", "GroupId.1.Name=a", "UnknownParameter: The parameter GroupId.1.Name is not recognized"},
		{"below a scalar with a value", "DryRun=true&DryRun.x=1", "UnknownParameter: The parameter DryRun.x is not recognized"},
		{"a trailing dot", "DryRun.=true", "UnknownParameter: The parameter DryRun. is not recognized"},
		{"two dots", "Filter..Name=x", "UnknownParameter: The parameter Filter..Name is not recognized"},
		{"a leading dot", ".DryRun=true", "UnknownParameter: The parameter .DryRun is not recognized"},
		{"a bad boolean", "DryRun=yes", "InvalidParameterValue: Value (yes) for parameter dryRun is invalid. Not a valid boolean."},
		{"an empty boolean", "DryRun=", "InvalidParameterValue: Value () for parameter dryRun is invalid. Not a valid boolean."},
		{"a bad integer", "MaxResults=ten", "InvalidParameterValue: Value (ten) for parameter maxResults is invalid. Not a valid integer."},
		{"an empty integer", "MaxResults=", "InvalidParameterValue: Value () for parameter maxResults is invalid. Not a valid integer."},
		{"half an integer", "MaxResults=1.5", "InvalidParameterValue: Value (1.5) for parameter maxResults is invalid. Not a valid integer."},
		{"an integer of 33 bits", "MaxResults=2147483648", "InvalidParameterValue: Value (2147483648) for parameter maxResults is invalid. Not a valid integer."},
		{"the first mistake by key, whatever was sent first", "MaxResults=x&DryRun=x", "InvalidParameterValue: Value (x) for parameter dryRun is invalid. Not a valid boolean."},
	} {
		_, err := decode(c.body)
		check(t, c.name, err, c.want)
	}
}

// The captured request (b) of four source kinds, and the names of mistakes in it.
func TestDecodeNested(t *testing.T) {
	const body = "Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId=sg-0a1b2c3d4e5f60718" +
		"&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=443&IpPermissions.1.ToPort=443" +
		"&IpPermissions.1.IpRanges.1.CidrIp=203.0.113.0%2F24&IpPermissions.1.IpRanges.1.Description=office" +
		"&IpPermissions.1.IpRanges.2.CidrIp=198.51.100.0%2F24&IpPermissions.2.IpProtocol=-1" +
		"&IpPermissions.2.Groups.1.GroupId=sg-0a1b2c3d4e5f60718&IpPermissions.2.Groups.1.UserId=111122223333&DryRun=false"
	var got authorizeIn
	if err := parse(t, body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := authorizeIn{DryRun: new(false), GroupId: "sg-0a1b2c3d4e5f60718", IpPermissions: []permission{
		{IpProtocol: "tcp", FromPort: new(int32(443)), ToPort: new(int32(443)), IpRanges: []ipRange{{"203.0.113.0/24", "office"}, {"198.51.100.0/24", ""}}},
		{IpProtocol: "-1", UserIdGroups: []groupPair{{"111122223333", "sg-0a1b2c3d4e5f60718"}}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	err := parse(t, "IpPermissions.1.FromPort=abc").Decode(&got)
	check(t, "a nested integer", err, "InvalidParameterValue: Value (abc) for parameter fromPort is invalid. Not a valid integer.")
}

func TestDecodeKinds(t *testing.T) {
	var got everything
	if err := parse(t, fullForm).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if want := full(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	var zone everything
	if err := parse(t, "At=2024-01-02T03:04:05%2B02:00").Decode(&zone); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2024, 1, 2, 1, 4, 5, 0, time.UTC); zone.At != want {
		t.Errorf("a time with a zone is %v, want %v", zone.At, want)
	}
	if got.InnerP == nil || zone.InnerP != nil || zone.Inners != nil {
		t.Errorf("a pointer to a struct is set exactly if something is in it")
	}
	for _, c := range []struct{ body, want string }{
		{"Ratio=1,5", "InvalidParameterValue: Value (1,5) for parameter ratio is invalid. Not a valid number."},
		{"Ratio=NaN", "InvalidParameterValue: Value (NaN) for parameter ratio is invalid. Not a valid number."},
		{"Ratio=0x1p2", "InvalidParameterValue: Value (0x1p2) for parameter ratio is invalid. Not a valid number."},
		{"Port=65536", "InvalidParameterValue: Value (65536) for parameter port is invalid. Not a valid integer."},
		{"Port=-1", "InvalidParameterValue: Value (-1) for parameter port is invalid. Not a valid integer."},
		{"Data=x", "InvalidParameterValue: Value (x) for parameter data is invalid. Not valid base64."},
		{"At=yesterday", "InvalidParameterValue: Value (yesterday) for parameter at is invalid. Not a valid timestamp."},
		{"At=0000-01-01T00:00:00%2B01:00", "InvalidParameterValue: Value (0000-01-01T00:00:00+01:00) for parameter at is invalid. Not a valid timestamp."},
		{"At=9999-12-31T23:59:59-01:00", "InvalidParameterValue: Value (9999-12-31T23:59:59-01:00) for parameter at is invalid. Not a valid timestamp."},
		{"At=9999-12-31T23:59:59Z", ""},
		{"At=0000-01-01T00:00:00Z", ""},
		{"Numbers.2=x", "InvalidParameterValue: Value (x) for parameter numbers is invalid. Not a valid integer."},
		{"Inner=x", "UnknownParameter: The parameter Inner is not recognized"},
		{"InnerP=x", "UnknownParameter: The parameter InnerP is not recognized"},
		{"OutOnly=x", "UnknownParameter: The parameter OutOnly is not recognized"},
	} {
		check(t, c.body, parse(t, c.body).Decode(new(everything)), c.want)
	}
}

type refusing struct{}

func (refusing) MarshalText() ([]byte, error)  { return nil, nil }
func (*refusing) UnmarshalText(b []byte) error { return fault.InvalidVpcRange.With(b) }

func TestDecodeTextUnmarshaler(t *testing.T) {
	var in struct {
		Loud  shout
		Loud2 []shout
		No    *refusing
	}
	if err := parse(t, "Loud=A&Loud2.1=B").Decode(&in); err != nil || in.Loud != "A" || in.Loud2[0] != "B" {
		t.Errorf("got %+v, %v", in, err)
	}
	check(t, "its error is the reason", parse(t, "Loud2.1=quiet").Decode(&in),
		"InvalidParameterValue: Value (quiet) for parameter loud2 is invalid. "+errQuiet.Error())
	check(t, "a fault of its own stands", parse(t, "No=x").Decode(&in), fault.InvalidVpcRange.With("x").Error())
}

// A name is kept for years; the request it came in must not be.
func TestDecodeDoesNotKeepTheRequest(t *testing.T) {
	f := parse(t, "GroupId=sg-1")
	var in authorizeIn
	if err := f.Decode(&in); err != nil {
		t.Fatal(err)
	}
	if unsafe.StringData(string(in.GroupId)) == unsafe.StringData(f.Get("GroupId")) {
		t.Errorf("the decoded string is a part of the form")
	}
}

// What a hostile body costs follows its length, not the numbers in it.
func TestDecodeIsBounded(t *testing.T) {
	f := parse(t, "IpPermissions.99999.IpProtocol=x&IpPermissions.99999.IpRanges.100000.CidrIp=y")
	var in authorizeIn
	n := testing.AllocsPerRun(10, func() {
		in = authorizeIn{}
		if err := f.Decode(&in); err != nil {
			t.Fatal(err)
		}
	})
	if len(in.IpPermissions) != 1 || cap(in.IpPermissions) != 1 || len(in.IpPermissions[0].IpRanges) != 1 {
		t.Errorf("got %+v, want one permission with one range", in)
	}
	if n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func TestUnusableTypesPanic(t *testing.T) {
	for name, dst := range map[string]any{
		"a map":             &struct{ M map[string]string }{},
		"a list of lists":   &struct{ L [][]string }{},
		"a pointer to list": &struct{ P *[]string }{},
		"an interface":      &struct{ I any }{},
		"one name twice": &struct {
			A, B string `in:"X"`
		}{},
		"a name as embedded": &struct {
			paging
			NextToken string
		}{},
		"always on a number": &struct {
			N int `out:",always"`
		}{},
		"an unknown option": &struct {
			N int `out:"n,omitempty"`
		}{},
		"not a struct":  new(int),
		"not a pointer": describeIn{},
		"nil":           (*describeIn)(nil),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			parse(t, "").Decode(dst)
		}()
	}
}

func TestEncodeForm(t *testing.T) {
	want := "Action=Do&Version=2016-11-15&" + fullForm
	if got := EncodeForm("Do", "2016-11-15", full()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, c := range []struct {
		name string
		src  any
		want string
	}{
		{"nil", nil, ""},
		{"a nil pointer", (*describeIn)(nil), ""},
		{"the zero value", &describeIn{}, ""},
		{"an empty list is not sent", describeIn{GroupIds: []groupID{}}, ""},
		{"a nil item is not sent", everything{InnerPs: []*inner{nil, {Name: "x"}}}, "&InnerPs.2.Name=x"},
		{"false behind a pointer is sent", authorizeIn{DryRun: new(false)}, "&DryRun=false"},
		{"an empty item is sent", describeIn{Filters: []filter{{}}}, "&Filter.1.Name="},
		{"a star is escaped, a tilde is not", describeIn{GroupIds: []groupID{"*~-_.? "}}, "&GroupId.1=%2A~-_.%3F+"},
	} {
		if got := EncodeForm("A", "V", c.src); got != "Action=A&Version=V"+c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestFields(t *testing.T) {
	list := func(of reflect.Type, dir Direction) string {
		var b strings.Builder
		for _, f := range Fields(of, dir) {
			fmt.Fprintf(&b, "%s %s %v", f.Name, f.Wire, f.Kind)
			if f.Kind == List {
				fmt.Fprintf(&b, " of %v", f.Elem)
			}
			if s := f.Struct(); s != nil {
				fmt.Fprintf(&b, " %s", s.Name())
			}
			b.WriteString("\n")
		}
		return b.String()
	}
	const in = `DryRun DryRun bool
Filters Filter list of struct filter
GroupIds GroupId list of text
MaxResults MaxResults int
NextToken NextToken text
`
	if got := list(reflect.TypeFor[*describeIn](), In); got != in {
		t.Errorf("in:\n%s", got)
	}
	const out = `OwnerId ownerId text
GroupId groupId text
GroupName groupName text
Description groupDescription text
VpcId vpcId text
IpPermissions ipPermissions list of struct permission
IpPermissionsEgress ipPermissionsEgress list of struct permission
Tags tagSet list of struct tag
SecurityGroupArn securityGroupArn text
`
	if got := list(reflect.TypeFor[securityGroup](), Out); got != out {
		t.Errorf("out:\n%s", got)
	}
	if got := list(reflect.TypeFor[struct {
		A string `in:"-"`
		B *attribute
		C string `in:"-" out:"-"`
		D []*tag
	}](), In); got != "B B struct attribute\nD D list of struct tag\n" {
		t.Errorf("hidden:\n%s", got)
	}
	v := reflect.ValueOf(describeIn{paging: paging{NextToken: new("x")}})
	for _, f := range Fields(v.Type(), In) {
		if f.Name == "NextToken" && v.FieldByIndex(f.Index).Elem().String() != "x" {
			t.Errorf("Index of an embedded field leads elsewhere")
		}
	}
}
