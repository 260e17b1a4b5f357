package ec2query

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
)

// Whatever is sent: no panic, no more items than pairs, and what was understood
// means the same when sent again.
func FuzzForm(f *testing.F) {
	f.Add("", fullForm)
	f.Add("Action=DescribeSecurityGroups&Version=2016-11-15", "GroupId.1=a")
	f.Add("", "Item.99999.Name=x&Item.3.Other=&Tree.Branch.7.Branch.0.Leaf=%C3%BC")
	f.Add("", "Text=%&Text=%zz&Word.01=1&Word.1.1=&Inner=&InnerP.=")
	f.Add("Flag=TRUE&Number=+5", "At=2024-01-02T03:04:05%2B02:00&Net=10.0.0.1/8&Data=AA==&Ratio=1e5")
	f.Fuzz(func(t *testing.T, query, body string) {
		form, err := ParseForm(query, []byte(body), Limits{})
		if err != nil {
			return
		}
		var x everything
		if form.Decode(&x) != nil {
			return
		}
		// A key of ten components has at most five numbers, each at most one item.
		if n := items(reflect.ValueOf(x)); n > 5*len(form.params) {
			t.Errorf("%d parameters became %d items", len(form.params), n)
		}
		again := EncodeForm("A", "V", &x)
		form2, err := ParseForm("", []byte(again), Limits{Bytes: 1 << 24})
		if err != nil {
			t.Fatalf("%v in %s", err, again)
		}
		var y everything
		if err := form2.Decode(&y); err != nil {
			t.Fatalf("%v in %s", err, again)
		}
		if !reflect.DeepEqual(x, y) {
			t.Errorf("decoded %+v\nencoded %s\ndecoded %+v", x, again, y)
		}
	})
}

// items counts the items of all lists below v.
func items(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n = items(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			n += items(v.Field(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return 0
		}
		n = v.Len()
		for i := range v.Len() {
			n += items(v.Index(i))
		}
	}
	return n
}

// Whatever is in a struct: its XML is well formed and reads back as the struct.
// The struct is taken from a form, so the fuzzer reaches every kind.
func FuzzRender(f *testing.F) {
	f.Add(fullForm)
	f.Add("Text=%3C%26%3E%22%27%0D%0A%09&Word.1=]]>&Word.2=%00%EF%BF%BF")
	f.Add("Inner.Other=&InnerP.Name=&Item.1.Name=&Item.2.Other=+&Tree.Branch.1.Branch.1.Leaf=")
	f.Add("At=2024-01-02T03:04:05.000000001Z&Times.1=0000-01-01T00:00:00Z")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := ParseForm("", []byte(body), Limits{})
		if err != nil {
			return
		}
		var x everything
		if form.Decode(&x) != nil {
			return
		}
		x.InOnly = ""
		doc := AppendResponse(nil, "Do", "id", &x)
		wellFormed(t, doc)
		var y everything
		if err := DecodeResponse(doc, &y); err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		if again := string(AppendResponse(nil, "Do", "id", &y)); again != string(doc) {
			t.Fatalf("rendered %s\nthen     %s", doc, again)
		}
		// Two things do not survive: what XML cannot say, and what is finer
		// than a millisecond.
		exact := !strings.ContainsFunc(form.text(), func(r rune) bool {
			return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
		})
		for _, at := range append(x.Times, x.At, *orZero(x.AtP)) {
			exact = exact && at.Equal(at.Truncate(time.Millisecond))
		}
		if exact && !reflect.DeepEqual(x, y) {
			t.Errorf("rendered %+v\nas       %s\nread     %+v", x, doc, y)
		}
	})
}

func orZero(t *time.Time) *time.Time {
	if t == nil {
		return new(time.Time)
	}
	return t
}

func (f *Form) text() string {
	var b strings.Builder
	for _, v := range f.Params() {
		b.WriteString(v)
	}
	return b.String()
}

// Whatever a server sends to our command line: no panic.
func FuzzDecodeResponse(f *testing.F) {
	x := full()
	f.Add(AppendResponse(nil, "Do", "id", &x))
	f.Add([]byte("<XResponse><wordSet><item/><x/></wordSet><tree><branches><item><leaf/></item></branches></tree></XResponse>"))
	f.Add([]byte("<Response><Errors><Error><Code>a</Code></Error></Errors></Response>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var y everything
		if DecodeResponse(doc, &y) == nil {
			wellFormed(t, AppendResponse(nil, "Do", "id", &y))
		}
		DecodeError(doc)
	})
}
