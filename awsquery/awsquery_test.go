package awsquery

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"moat/ec2query"
	"moat/fault"
)

type tag struct{ Key, Value string }

type contextEntry struct {
	ContextKeyName   string
	ContextKeyValues []string
}

type policyARN struct {
	Arn string `in:"arn" out:"arn"`
}

type assumeRoleIn struct {
	RoleArn         string
	DurationSeconds *int32
	PolicyArns      []policyARN
	Tags            []tag
	TagKeys         []string
	ContextEntries  []contextEntry
}

type assumeRoleOut struct {
	Credentials     *credentials
	AssumedRoleUser *struct{ Arn string }
	Tags            []tag
	IsTruncated     bool
}

type credentials struct {
	AccessKeyId string
	Expiration  time.Time
}

func parse(t testing.TB, body string) *ec2query.Form {
	t.Helper()
	f, err := ec2query.ParseForm("", []byte(body), ec2query.Limits{})
	if err != nil {
		t.Fatalf("ParseForm(%q): %v", body, err)
	}
	return f
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       assumeRoleIn
	}{
		{"nothing", "", assumeRoleIn{}},
		{"scalars", "RoleArn=a&DurationSeconds=900", assumeRoleIn{RoleArn: "a", DurationSeconds: new(int32(900))}},
		{"a list", "TagKeys.member.2=b&TagKeys.member.1=a", assumeRoleIn{TagKeys: []string{"a", "b"}}},
		{"by number, with gaps, from 0", "TagKeys.member.10=c&TagKeys.member.9=b&TagKeys.member.0=a", assumeRoleIn{TagKeys: []string{"a", "b", "c"}}},
		{"a list of structs", "Tags.member.1.Key=k&Tags.member.1.Value=v", assumeRoleIn{Tags: []tag{{"k", "v"}}}},
		{"lists in lists", "ContextEntries.member.1.ContextKeyName=n&ContextEntries.member.1.ContextKeyValues.member.1=v",
			assumeRoleIn{ContextEntries: []contextEntry{{"n", []string{"v"}}}}},
		{"an empty list", "Tags=", assumeRoleIn{Tags: []tag{}}},
		{"an empty list, and an item after all", "TagKeys=&TagKeys.member.1=a", assumeRoleIn{TagKeys: []string{"a"}}},
		{"a member with a small letter", "PolicyArns.member.1.arn=a", assumeRoleIn{PolicyArns: []policyARN{{"a"}}}},
	} {
		var got assumeRoleIn
		err := Decode(parse(t, "Action=AssumeRole&Version=2011-06-15&"+c.body), &got)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}

	for _, c := range []struct{ name, body, key string }{
		{"no such member", "RoleName=x", "RoleName"},
		{"a list as of EC2", "TagKeys.1=x", "TagKeys.1"},
		{"a list with a value", "TagKeys=x", "TagKeys"},
		{"member without a number", "TagKeys.member=x", "TagKeys.member"},
		{"member with nothing after the dot", "TagKeys.member.=x", "TagKeys.member."},
		{"item instead of member", "TagKeys.item.1=x", "TagKeys.item.1"},
		{"members, and a stranger", "TagKeys.member.1=x&TagKeys.other.1=x", "TagKeys.other.1"},
		{"a leading zero", "TagKeys.member.01=x", "TagKeys.member.01"},
		{"a struct with a value", "Tags.member.1=x", "Tags.member.1"},
	} {
		err := Decode(parse(t, c.body), new(assumeRoleIn))
		if want := fault.UnknownParameter.With(c.key); err == nil || err.Error() != want.Error() {
			t.Errorf("%s: got %v, want %v", c.name, err, want)
		}
	}
}

func TestEncodeForm(t *testing.T) {
	in := assumeRoleIn{
		RoleArn: "arn:aws:iam::1:role/r", Tags: []tag{}, TagKeys: []string{"a b", ""},
		ContextEntries: []contextEntry{{"n", []string{"v"}}},
	}
	want := "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&Tags=" +
		"&TagKeys.member.1=a+b&TagKeys.member.2=&ContextEntries.member.1.ContextKeyName=n&ContextEntries.member.1.ContextKeyValues.member.1=v"
	got := EncodeForm("AssumeRole", "2011-06-15", in)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var back assumeRoleIn
	if err := Decode(parse(t, got), &back); err != nil || !reflect.DeepEqual(back, in) {
		t.Errorf("decoded %+v, %v, want %+v", back, err, in)
	}
}

func TestAppendResponse(t *testing.T) {
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	at := time.Date(2026, 11, 22, 19, 16, 2, 999e6, time.UTC)
	out := &assumeRoleOut{Credentials: &credentials{"ASIA", at}, AssumedRoleUser: &struct{ Arn string }{"a&b"}, Tags: []tag{{"k", "v"}}}
	got := STS.AppendResponse(nil, "AssumeRole", "01234567", out)
	want := head + `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>` +
		`<Credentials><AccessKeyId>ASIA</AccessKeyId><Expiration>2026-11-22T19:16:02Z</Expiration></Credentials>` +
		`<AssumedRoleUser><Arn>a&amp;b</Arn></AssumedRoleUser><Tags><member><Key>k</Key><Value>v</Value></member></Tags><IsTruncated>false</IsTruncated>` +
		`</AssumeRoleResult><ResponseMetadata><RequestId>01234567</RequestId></ResponseMetadata></AssumeRoleResponse>`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var back assumeRoleOut
	out.Credentials.Expiration = at.Truncate(time.Second)
	if err := DecodeResponse(got, &back); err != nil || !reflect.DeepEqual(&back, out) {
		t.Errorf("read back %+v, %v, want %+v", back, err, out)
	}

	// What stands beside the Result is no member.
	var who struct{ Arn string }
	if err := DecodeResponse([]byte("<XResponse><XResult><Arn>a</Arn></XResult><ResponseMetadata><Arn>b</Arn></ResponseMetadata></XResponse>"), &who); err != nil || who.Arn != "a" {
		t.Errorf("got %+v, %v", who, err)
	}

	const none = head + `<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">` +
		`<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DeleteUserResponse>`
	for _, nothing := range []any{nil, struct{}{}, &struct{}{}} {
		if got := string(IAM.AppendResponse(nil, "DeleteUser", "id", nothing)); got != none {
			t.Errorf("%#v: got %s, want %s", nothing, got, none)
		}
	}
	if got, want := string(IAM.AppendResponse(nil, "X", "id", &struct{ A string }{})), head+
		`<XResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><XResult></XResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></XResponse>`; got != want {
		t.Errorf("output that is empty keeps its Result: got %s, want %s", got, want)
	}
}

func TestAppendError(t *testing.T) {
	for _, c := range []struct {
		f        *fault.Error
		wantType string
	}{
		{&fault.Error{Code: "AccessDenied", Status: 403, Message: "a < b"}, "Sender"},
		{&fault.Error{Code: "InternalFailure", Status: 500, Message: "a < b"}, "Receiver"},
		{&fault.Error{Code: "ServiceUnavailable", Status: 503, Message: "a < b"}, "Receiver"},
	} {
		got := string(STS.AppendError(nil, c.f, "id"))
		want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>` + c.wantType + `</Type><Code>` + c.f.Code +
			`</Code><Message>a &lt; b</Message></Error><RequestId>id</RequestId></ErrorResponse>`
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		f, id, err := DecodeError([]byte(got))
		if err != nil || f.Code != c.f.Code || f.Message != c.f.Message || id != "id" {
			t.Errorf("read back %+v, %q, %v", f, id, err)
		}
	}
}

func TestFields(t *testing.T) {
	fields := Fields(reflect.TypeFor[assumeRoleOut](), ec2query.Out)
	if len(fields) != 4 || fields[0].Wire != "Credentials" || fields[2].Elem != ec2query.Struct {
		t.Errorf("got %+v", fields)
	}
}

// The law in the other dialect: what was understood means the same when sent
// again, empty lists included, and what is rendered reads back.
func FuzzForm(f *testing.F) {
	f.Add("RoleArn=a&DurationSeconds=900&Tags=&TagKeys.member.2=b&TagKeys.member.1=")
	f.Add("ContextEntries.member.1.ContextKeyName=n&ContextEntries.member.1.ContextKeyValues.member.1=v&PolicyArns.member.7.arn=%0D")
	f.Add("ContextEntries.member.5.ContextKeyValues=")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := ec2query.ParseForm("", []byte(body), ec2query.Limits{})
		if err != nil {
			return
		}
		var x, y assumeRoleIn
		if Decode(form, &x) != nil {
			return
		}
		again := EncodeForm("A", "V", &x)
		if form, err = ec2query.ParseForm("", []byte(again), ec2query.Limits{Bytes: 1 << 24}); err != nil {
			t.Fatalf("%v in %s", err, again)
		}
		if err := Decode(form, &y); err != nil {
			t.Fatalf("%v in %s", err, again)
		}
		if !reflect.DeepEqual(x, y) {
			t.Errorf("decoded %+v\nencoded %s\ndecoded %+v", x, again, y)
		}
		doc := IAM.AppendResponse(nil, "Do", "id", &x)
		var z assumeRoleIn
		if err := DecodeResponse(doc, &z); err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		if got := string(IAM.AppendResponse(nil, "Do", "id", &z)); got != string(doc) {
			t.Errorf("rendered %s\nthen     %s", doc, got)
		}
	})
}

func BenchmarkGetCallerIdentity(b *testing.B) {
	out := &struct{ Arn, UserId, Account string }{"arn:aws:iam::123456789012:root", "123456789012", "123456789012"}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = STS.AppendResponse(buf[:0], "GetCallerIdentity", "59dbff89-35bd-4eac-99ed-be587EXAMPLE", out)
	}
}

func ExampleNamespace_AppendResponse() {
	out := struct{ Arn, UserId, Account string }{"arn:aws:iam::123456789012:root", "123456789012", "123456789012"}
	fmt.Printf("%s\n", STS.AppendResponse(nil, "GetCallerIdentity", "59dbff89", &out))
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId><Account>123456789012</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>59dbff89</RequestId></ResponseMetadata></GetCallerIdentityResponse>
}
