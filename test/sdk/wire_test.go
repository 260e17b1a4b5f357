package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"moat/action"
	"moat/awsquery"
	"moat/ec2query"
)

// modelVersions are the SDK modules whose types are the model here.
var modelVersions = map[string]string{"ec2": "1.344.1", "iam": "1.64.8", "sts": "1.51.8"}

// TestModelVersion: the versions written down are those that are linked; the
// SDK says them in its User-Agent.
func TestModelVersion(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services {
		want := modelVersions[s.name]
		sent := s.call(t, s.actions[0].Info().Name, nil, emptyAnswer(s, s.actions[0].Info().Name))
		if agent := sent.header.Get("User-Agent"); !strings.Contains(agent, "api/"+s.name+"#"+want) {
			t.Errorf("User-Agent %q is not of %s %s", agent, s.name, want)
		}
		if !regexp.MustCompile(`service/` + s.name + ` v` + regexp.QuoteMeta(want) + `\b`).Match(mod) {
			t.Errorf("go.mod does not require service/%s v%s", s.name, want)
		}
	}
}

// TestEveryMemberArrives sends every action with all its members filled, each
// with its own value, and finds every one of them in our input.
func TestEveryMemberArrives(t *testing.T) {
	for _, s := range services {
		for _, a := range s.actions {
			name := a.Info().Name
			for _, flag := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/%v", s.name, name, flag), func(t *testing.T) {
					inType, _, ok := s.operation(name)
					if !ok {
						t.Skip("not in the model")
					}
					theirs := reflect.New(inType)
					fill(theirs.Elem(), &counter{flag: flag}, nil)
					sent := s.call(t, name, theirs.Interface(), emptyAnswer(s, name))

					form, err := ec2query.ParseForm(sent.query, sent.body, ec2query.Limits{})
					if err != nil {
						t.Fatalf("%v in %s", err, sent.body)
					}
					if form.Get("Action") != name {
						t.Errorf("the action arrives as %q", form.Get("Action"))
					}
					ours := a.NewInput()
					if s.name == "ec2" {
						err = form.Decode(ours)
					} else {
						err = awsquery.Decode(form, ours)
					}
					if err != nil {
						t.Fatalf("%v in %s", err, sent.body)
					}
					want, got := s.theirTree(theirs.Elem(), name+"Input"), s.ourTree(reflect.ValueOf(ours), ec2query.In, name+"Input")
					compare(t, want, got)
				})
			}
		}
	}
}

// TestEveryMemberIsParsed answers every action with all members of our output
// filled, and finds every one of them in what the SDK gives to its caller.
func TestEveryMemberIsParsed(t *testing.T) {
	for _, s := range services {
		for _, a := range s.actions {
			info := a.Info()
			for _, flag := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/%v", s.name, info.Name, flag), func(t *testing.T) {
					inType, _, ok := s.operation(info.Name)
					if !ok {
						t.Skip("not in the model")
					}
					ours := reflect.New(info.Out)
					fill(ours.Elem(), &counter{flag: flag}, nil)
					theirs := reflect.New(inType)
					fill(theirs.Elem(), &counter{}, nil) // the SDK insists on required members
					got := s.call(t, info.Name, theirs.Interface(), s.render(info.Name, ours.Interface()))
					compare(t, s.ourTree(ours, ec2query.Out, info.Name+"Output"), s.theirTree(got.out, info.Name+"Output"))
					if id, _ := awsmiddleware.GetRequestIDMetadata(got.out.FieldByName("ResultMetadata").Interface().(middleware.Metadata)); id != requestID {
						t.Errorf("the SDK reads the request id as %q", id)
					}
				})
			}
		}
	}
}

const requestID = "59dbff89-35bd-4eac-99ed-be587e000001"

func (s service) render(name string, out any) []byte {
	switch s.name {
	case "iam":
		return awsquery.IAM.AppendResponse(nil, name, requestID, out)
	case "sts":
		return awsquery.STS.AppendResponse(nil, name, requestID, out)
	}
	return ec2query.AppendResponse(nil, name, requestID, out)
}

func emptyAnswer(s service, name string) []byte {
	return s.render(name, reflect.New(actionOf(s, name).Info().Out).Interface())
}

func actionOf(s service, name string) action.Action {
	for _, a := range s.actions {
		if a.Info().Name == name {
			return a
		}
	}
	panic(name)
}

// exchanged is what the SDK sent, and what it made of the answer.
type exchanged struct {
	header http.Header
	query  string
	body   []byte
	out    reflect.Value // struct
}

// call runs one method of the SDK's client against a canned answer. A nil in
// is filled.
func (s service) call(t *testing.T, name string, in any, answer []byte) exchanged {
	t.Helper()
	var x exchanged
	web := doer(func(r *http.Request) (*http.Response, error) {
		x.header, x.query = r.Header, r.URL.RawQuery
		if r.Body != nil {
			var err error
			if x.body, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
		}
		return &http.Response{
			StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"text/xml;charset=UTF-8"}, "X-Amzn-Requestid": {requestID}},
			Body:   io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer)),
		}, nil
	})
	if in == nil {
		inType, _, _ := s.operation(name)
		v := reflect.New(inType)
		fill(v.Elem(), &counter{}, nil)
		in = v.Interface()
	}
	keys := credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")
	var client reflect.Value
	switch s.name {
	case "ec2":
		client = reflect.ValueOf(awsec2.New(awsec2.Options{Region: "eu-west-1", Credentials: keys, BaseEndpoint: aws.String("http://moat.test"), HTTPClient: web}))
	case "iam":
		client = reflect.ValueOf(awsiam.New(awsiam.Options{Region: "eu-west-1", Credentials: keys, BaseEndpoint: aws.String("http://moat.test"), HTTPClient: web}))
	case "sts":
		client = reflect.ValueOf(awssts.New(awssts.Options{Region: "eu-west-1", Credentials: keys, BaseEndpoint: aws.String("http://moat.test"), HTTPClient: web}))
	}
	results := client.MethodByName(name).Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(in)})
	if err, _ := results[1].Interface().(error); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	x.out = results[0].Elem()
	return x
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// A counter gives values of which no two are alike, but for flags.
type counter struct {
	n    int
	flag bool
}

// fill sets every member of v and below to a value of its own; lists have two
// items. A type that holds itself ends where it would begin again.
func fill(v reflect.Value, c *counter, above []reflect.Type) {
	c.n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), c, above)
	case reflect.String:
		v.SetString(fmt.Sprintf("v%d &<>%%+=ü~*", c.n))
	case reflect.Bool:
		v.SetBool(c.flag)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(c.n))
	case reflect.Float64, reflect.Float32:
		v.SetFloat(float64(c.n) / 2)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{byte(c.n), 0, 255})
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), c, above)
		fill(v.Index(1), c, above)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC).Add(time.Duration(c.n) * time.Second)))
			return
		}
		for _, t := range above {
			if t == v.Type() {
				return
			}
		}
		for _, f := range members(v.Type()) {
			fill(v.FieldByIndex(f.Index), c, append(above, v.Type()))
		}
	case reflect.Interface:
		one := reflect.New(unions[v.Type()][c.n%len(unions[v.Type()])])
		fill(one.Elem().FieldByName("Value"), c, above)
		v.Set(one)
	default:
		panic(fmt.Sprintf("%v cannot be filled", v.Type()))
	}
}

// theirTree gives a value of the SDK as JSON would hold it, without what only
// they have.
func (s service) theirTree(v reflect.Value, path string) any {
	return tree(v, path, func(v reflect.Value, path string, put func(string, reflect.Value)) {
		for _, f := range members(v.Type()) {
			if onlyTheirs[path+"."+f.Name] == "" {
				put(f.Name, v.FieldByIndex(f.Index))
			}
		}
	})
}

// ourTree gives a value of ours likewise, without what only we have, and
// without flags that a reply shows only when they are set.
func (s service) ourTree(v reflect.Value, dir ec2query.Direction, path string) any {
	return tree(v, path, func(v reflect.Value, path string, put func(string, reflect.Value)) {
		for _, f := range s.fields(v.Type(), dir) {
			at := v.FieldByIndex(f.Index)
			unset := at.IsZero() && (dir == ec2query.Out && strings.HasSuffix(f.Tag.Get("out"), ",omitzero") || isUnion(v.Type()))
			if onlyOurs[path+"."+f.Name] == "" && !unset {
				put(f.Name, at)
			}
		}
	})
}

func tree(v reflect.Value, path string, each func(v reflect.Value, path string, put func(string, reflect.Value))) any {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if at, ok := v.Interface().(time.Time); ok {
		return at.UTC().Format(time.RFC3339Nano)
	}
	if name, ok := memberOf(v.Type()); ok {
		return map[string]any{name: tree(v.FieldByName("Value"), path+"."+name, each)}
	}
	switch v.Kind() {
	case reflect.Map:
		m := map[string]any{}
		for _, k := range v.MapKeys() {
			m[k.String()] = tree(v.MapIndex(k), path, each)
		}
		return m
	case reflect.Struct:
		m := map[string]any{}
		each(v, path, func(name string, f reflect.Value) {
			if t := tree(f, path+"."+name, each); t != nil {
				m[name] = t
			}
		})
		return m
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes()
		}
		if item := v.Type().Elem(); item.Kind() == reflect.Struct && item.NumField() == 2 && item.Field(0).Tag.Get("out") == "key" {
			m := map[string]any{} // of ours
			for i := range v.Len() {
				m[v.Index(i).Field(0).String()] = tree(v.Index(i).Field(1), path, each)
			}
			return m
		}
		list := []any{}
		for i := range v.Len() {
			list = append(list, tree(v.Index(i), path+"[]", each))
		}
		return list
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	panic(fmt.Sprintf("%v at %s", v.Type(), path))
}

// tree2 gives any value of the SDK as JSON would hold it, without members that
// are nil or empty lists.
func tree2(v any) any {
	return tree(reflect.ValueOf(&v).Elem().Elem(), "", func(v reflect.Value, _ string, put func(string, reflect.Value)) {
		for _, f := range members(v.Type()) {
			if at := v.FieldByIndex(f.Index); !at.IsZero() && (at.Kind() != reflect.Slice || at.Len() > 0) {
				put(f.Name, at)
			}
		}
	})
}

// compare tells each member in which two trees differ.
func compare(t *testing.T, want, got any) {
	t.Helper()
	differences("", want, got, func(at string, want, got any) {
		t.Errorf("%s: sent %s, received %s", at, show(want), show(got))
	})
}

func differences(at string, want, got any, tell func(at string, want, got any)) {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			for name := range want {
				differences(at+"."+name, want[name], got[name], tell)
			}
			for name := range got {
				if _, ok := want[name]; !ok {
					tell(at+"."+name, nil, got[name])
				}
			}
			return
		}
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				differences(fmt.Sprintf("%s[%d]", at, i), want[i], got[i], tell)
			}
			return
		}
	}
	if !reflect.DeepEqual(want, got) {
		tell(at, want, got)
	}
}

func show(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
