package vpc_test

import (
	"reflect"
	"strings"
	"testing"

	"moat/vpc"
)

// Two fields with one number would both be lost on the way to the store,
// without an error.
func TestStoredFieldsHaveNumbersOfTheirOwn(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var check func(reflect.Type)
	check = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || !strings.HasPrefix(typ.PkgPath(), "moat/") || seen[typ] {
			return
		}
		seen[typ] = true
		fields := map[string]string{}
		for i := range typ.NumField() {
			f := typ.Field(i)
			number, _, ok := strings.Cut(f.Tag.Get("cbor"), ",")
			if !ok || number == "" {
				t.Errorf("%v: field %s has no number", typ, f.Name)
			}
			if other := fields[number]; other != "" {
				t.Errorf("%v: fields %s and %s have the number %s", typ, other, f.Name, number)
			}
			fields[number] = f.Name
			check(f.Type)
		}
	}
	for _, record := range []any{
		vpc.VPC{}, vpc.Subnet{}, vpc.SecurityGroup{}, vpc.Interface{}, vpc.PrefixList{}, vpc.PrefixListVersion{},
		vpc.GroupAssociation{}, vpc.ClientToken{}, vpc.Space{},
	} {
		check(reflect.TypeOf(record))
	}
	if !seen[reflect.TypeFor[vpc.Attachment]()] {
		t.Error("an interface's attachment was not looked at")
	}
}
