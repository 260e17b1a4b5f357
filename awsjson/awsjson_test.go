package awsjson_test

import (
	"errors"
	"testing"
	"time"

	"moat/awsjson"
	"moat/fault"
)

type sample struct {
	Name  string
	Count *int32
	Flag  bool
	At    time.Time
	Items []item
	Words []string
}

type item struct{ Key, Value string }

func TestDecode(t *testing.T) {
	for _, row := range []struct {
		body, want string // want is what Append gives; "" for a SerializationException
	}{
		{``, `{}`},
		{`{}`, `{}`},
		{`{"Name":"a<b","Count":5,"Flag":true}`, `{"Name":"a<b","Count":5,"Flag":true}`},
		{`{"At":1763868000.25}`, `{"At":1763868000}`},
		{`{"Items":[{"Key":"k"},{"Key":"l","Value":"v"}],"Words":["a","b"]}`, `{"Items":[{"Key":"k"},{"Key":"l","Value":"v"}],"Words":["a","b"]}`},
		{`{"Unknown":1,"Name":null}`, `{}`},
		{`{"name":"x"}`, `{}`},
		{`{`, ``},
		{`{} {}`, ``},
		{`[]`, ``},
		{`{"Count":"5"}`, ``},
		{`{"Count":5.5}`, ``},
		{`{"Count":4294967296}`, ``},
		{`{"At":"2026-01-01"}`, ``},
		{`{"At":1e300}`, ``},
		{`{"Items":{}}`, ``},
		{`{"Items":[1]}`, ``},
		{`{"Words":[1]}`, ``},
		{`{"Name":1}`, ``},
		{`{"Flag":"true"}`, ``},
	} {
		var in sample
		err := awsjson.Decode([]byte(row.body), &in)
		if row.want == "" {
			if !errors.Is(err, fault.SerializationException.With()) {
				t.Errorf("%s: %v, %+v", row.body, err, in)
			}
			continue
		}
		if got := string(awsjson.Append(nil, &in)); err != nil || got != row.want {
			t.Errorf("%s: %s, %v; want %s", row.body, got, err, row.want)
		}
	}
}

func TestErrors(t *testing.T) {
	f := fault.InvalidNextTokenException.With()
	b := awsjson.AppendError(nil, f)
	if string(b) != `{"__type":"InvalidNextTokenException","message":"Invalid nextToken."}` {
		t.Errorf("%s", b)
	}
	if back, err := awsjson.DecodeError(b); err != nil || back.Code != f.Code || back.Message != f.Message {
		t.Errorf("%+v, %v", back, err)
	}
	if _, err := awsjson.DecodeError([]byte("<xml/>")); err == nil {
		t.Error("XML is taken for a refusal")
	}
}
