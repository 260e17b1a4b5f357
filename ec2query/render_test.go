package ec2query

import (
	"encoding/xml"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"moat/fault"
)

func TestAppendResponse(t *testing.T) {
	type createOut struct {
		GroupId string
		Tags    []tag `out:"tagSet"`
		Return  bool
	}
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	for _, c := range []struct {
		name string
		out  any
		want string
	}{
		{"members in the order of fields", &createOut{"sg-1", []tag{{"Name", "web"}}, true},
			"<groupId>sg-1</groupId><tagSet><item><key>Name</key><value>web</value></item></tagSet><return>true</return>"},
		{"a struct by value", createOut{"sg-1", nil, true}, "<groupId>sg-1</groupId><return>true</return>"},
		{"no members to have", struct{}{}, "<return>true</return>"},
		{"none in this direction", struct {
			A string `out:"-"`
		}{"x"}, "<return>true</return>"},
		{"nil", nil, "<return>true</return>"},
		{"members, but none set", &paging{}, ""},
	} {
		got := string(AppendResponse([]byte("x"), "CreateSecurityGroup", "59dbff89", c.out))
		want := "x" + head + `<CreateSecurityGroupResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>59dbff89</requestId>` +
			c.want + "</CreateSecurityGroupResponse>"
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

func TestOmission(t *testing.T) {
	at := time.Date(2024, 1, 2, 3, 4, 5, 999e3, time.FixedZone("", 3600))
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"empty string", struct{ A string }{}, ""},
		{"string", struct{ A string }{"x"}, "<a>x</a>"},
		{"empty string, always", struct {
			A string `out:",always"`
		}{}, "<a/>"},
		{"string, always", struct {
			A string `out:",always"`
		}{"x"}, "<a>x</a>"},
		{"nil *string", struct{ A *string }{}, ""},
		{"nil *string, always", struct {
			A *string `out:",always"`
		}{}, "<a/>"},
		{"pointer to empty string", struct{ A *string }{new("")}, "<a/>"},
		{"false", struct{ A bool }{}, "<a>false</a>"},
		{"false, omitzero", struct {
			A bool `out:",omitzero"`
		}{}, ""},
		{"true, omitzero", struct {
			A bool `out:",omitzero"`
		}{true}, "<a>true</a>"},
		{"0", struct{ A int64 }{}, "<a>0</a>"},
		{"0, omitzero", struct {
			A int32 `out:"b,omitzero"`
		}{}, ""},
		{"-1, omitzero", struct {
			A int32 `out:"b,omitzero"`
		}{-1}, "<b>-1</b>"},
		{"nil *int32", struct{ A *int32 }{}, ""},
		{"pointer to 0", struct{ A *int32 }{new(int32(0))}, "<a>0</a>"},
		{"0.5", struct{ A float64 }{0.5}, "<a>0.5</a>"},
		{"nil list", struct{ A []string }{}, ""},
		{"nil list, always", struct {
			A []string `out:"aSet,always"`
		}{}, "<aSet/>"},
		{"empty list", struct{ A []tag }{[]tag{}}, "<a/>"},
		{"list of strings, one empty", struct{ A []string }{[]string{"x", ""}}, "<a><item>x</item><item/></a>"},
		{"list of pointers, one nil", struct{ A []*int32 }{[]*int32{nil, new(int32(7))}}, "<a><item>7</item></a>"},
		{"list of empty structs", struct{ A []tag }{[]tag{{}}}, "<a><item/></a>"},
		{"struct", struct{ A tag }{tag{"k", ""}}, "<a><key>k</key></a>"},
		{"empty struct", struct{ A tag }{}, "<a/>"},
		{"empty struct, omitzero", struct {
			A tag `out:",omitzero"`
		}{}, ""},
		{"nil *struct", struct{ A *tag }{}, ""},
		{"*struct", struct{ A *tag }{&tag{}}, "<a/>"},
		{"embedded", struct{ paging }{paging{NextToken: new("t")}}, "<nextToken>t</nextToken>"},
		{"zero time", struct{ A time.Time }{}, ""},
		{"time, in UTC with milliseconds", struct{ A time.Time }{at}, "<a>2024-01-02T02:04:05.000Z</a>"},
		{"*time", &struct{ A *time.Time }{&at}, "<a>2024-01-02T02:04:05.000Z</a>"},
		{"nil bytes", struct{ A []byte }{}, ""},
		{"bytes", struct{ A []byte }{[]byte{0, 255}}, "<a>AP8=</a>"},
		{"no prefix", struct{ A netip.Prefix }{}, ""},
		{"prefix", struct{ A netip.Prefix }{netip.MustParsePrefix("10.0.0.0/8")}, "<a>10.0.0.0/8</a>"},
		{"a text marshaler is escaped", struct{ A angle }{"x"}, "<a>&lt;x&gt;</a>"},
		{"and omitted when empty", struct{ A angle }{""}, ""},
		{"hidden", struct {
			A string `out:"-"`
			b string
		}{"x", "y"}, ""},
	} {
		got, _ := ec2.AppendMembers(nil, c.v)
		if string(got) != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// angle writes itself between angles, and with a pointer's method.
type angle string

func (a *angle) MarshalText() ([]byte, error) {
	if *a == "" {
		return nil, nil
	}
	return []byte("<" + *a + ">"), nil
}

func TestAppendElement(t *testing.T) {
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"item", &tag{"k", "v"}, "<item><key>k</key><value>v</value></item>"},
		{"item", tag{"k", "v"}, "<item><key>k</key><value>v</value></item>"},
		{"tagSet", []tag{{"k", ""}}, "<tagSet><item><key>k</key></item></tagSet>"},
		{"tagSet", []tag(nil), "<tagSet/>"},
		{"nextToken", "a<b", "<nextToken>a&lt;b</nextToken>"},
		{"nextToken", "", "<nextToken/>"},
		{"nextToken", (*string)(nil), ""},
		{"nextToken", nil, ""},
		{"count", 3, "<count>3</count>"},
	} {
		if got := string(AppendElement(nil, c.name, c.v)); got != c.want {
			t.Errorf("%#v: got %s, want %s", c.v, got, c.want)
		}
	}
	// What a caller streams is what AppendResponse gives.
	out := struct {
		Tags []tag `out:"tagSet"`
	}{[]tag{{"a", "1"}, {"b", "2"}}}
	b := append(AppendHead(nil, "DescribeTags", "id"), "<tagSet>"...)
	for i := range out.Tags {
		b = AppendElement(b, "item", &out.Tags[i])
	}
	b = AppendTail(append(b, "</tagSet>"...), "DescribeTags")
	if want := string(AppendResponse(nil, "DescribeTags", "id", out)); string(b) != want {
		t.Errorf("streamed:\n%s\nwhole:\n%s", b, want)
	}
}

func TestAppendText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"plain", "plain"},
		{`a & b < c > d "e" 'f'`, `a &amp; b &lt; c &gt; d "e" 'f'`},
		{"]]>", "]]&gt;"},
		{"tab\tnewline\nreturn\r", "tab\tnewline\nreturn&#xD;"},
		{"ü€😀", "ü€😀"},
		{"nul\x00bell\a", "nul\uFFFDbell\uFFFD"},
		{"\xff", "\uFFFD"},
		{"a\xc3", "a\uFFFD"},
		{"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"}, // a surrogate
		{"\uFFFE\uFFFF\uFFFD", "\uFFFD\uFFFD\uFFFD"},
	} {
		if got := string(AppendText(nil, c.in)); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestAppendError(t *testing.T) {
	got := string(AppendError(nil, fault.InvalidGroupNotFound.With("sg-<1>"), "8c5ae4db"))
	want := `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>InvalidGroup.NotFound</Code><Message>The security group 'sg-&lt;1&gt;' does not exist</Message></Error></Errors><RequestID>8c5ae4db</RequestID></Response>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	f, id, err := DecodeError([]byte(got))
	if err != nil || f.Code != "InvalidGroup.NotFound" || f.Message != "The security group 'sg-<1>' does not exist" || id != "8c5ae4db" {
		t.Errorf("read back: %+v, %q, %v", f, id, err)
	}
	for _, doc := range []string{"", "<html>", "<html></html>", "<Response/>"} {
		if f, _, err := DecodeError([]byte(doc)); err == nil {
			t.Errorf("%q reads as %v", doc, f)
		}
	}
}

func TestDecodeResponse(t *testing.T) {
	want := full()
	want.InOnly, want.OutOnly = "", "out"
	doc := AppendResponse(nil, "Do", "id", &want)
	wellFormed(t, doc)
	var got everything
	if err := DecodeResponse(doc, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v\nfrom %s", got, want, doc)
	}

	// As the service prints it: indented, with elements that we do not know.
	const pretty = `<?xml version="1.0" encoding="UTF-8"?>
<XResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>59dbff89</requestId>
    <tagSet>
        <other><key>no item</key></other>
        <item>
            <key>Name</key>
            <new><key>inside what we do not know</key></new>
            <value/>
        </item>
    </tagSet>
    <count>3<new>4</new></count>
</XResponse>
`
	var out struct {
		Tags  []tag `out:"tagSet"`
		Count *int32
	}
	if err := DecodeResponse([]byte(pretty), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Tags) != 1 || out.Tags[0] != (tag{"Name", ""}) || *out.Count != 3 {
		t.Errorf("got %+v", out)
	}

	for _, c := range []struct{ name, doc, want string }{
		{"nothing", "", "unexpected EOF"},
		{"not XML", "<html><br></html>", "unexpected element html"},
		{"cut off", "<XResponse><count>3</count>", "unexpected EOF"},
		{"an error document", "<Response><Errors/></Response>", "unexpected element Response"},
		{"two roots", "<XResponse/><XResponse/>", "unexpected element XResponse"},
		{"a bad number", "<XResponse><count>x</count></XResponse>", `element count with text "x": Not a valid integer.`},
		{"an empty number", "<XResponse><count/></XResponse>", `element count with text ""`},
	} {
		err := DecodeResponse([]byte(c.doc), &out)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func wellFormed(t testing.TB, doc []byte) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(doc)))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
	}
}
