package change

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"moat/ec2"
)

// awsLine gives the lines that make a call with the AWS command line, for a
// POSIX shell.
func awsLine(action string, in any) []string {
	line := "aws ec2 " + kebab(action)
	add := func(flag string, words ...string) {
		line += " --" + flag
		for _, w := range words {
			line += " " + shellWord(w)
		}
	}
	rules := func(group *string, ids []string, perms []ec2.IpPermission, specs []ec2.TagSpecification) {
		add("group-id", *group)
		if len(ids) > 0 {
			add("security-group-rule-ids", ids...)
		}
		if len(perms) > 0 {
			add("ip-permissions", jsonOf(perms))
		}
		if len(specs) > 0 {
			add("tag-specifications", jsonOf(specs))
		}
	}
	switch in := in.(type) {
	case *ec2.AuthorizeSecurityGroupIngressInput:
		rules(in.GroupId, nil, in.IpPermissions, in.TagSpecifications)
	case *ec2.AuthorizeSecurityGroupEgressInput:
		rules(in.GroupId, nil, in.IpPermissions, in.TagSpecifications)
	case *ec2.RevokeSecurityGroupIngressInput:
		rules(in.GroupId, in.SecurityGroupRuleIds, nil, nil)
	case *ec2.RevokeSecurityGroupEgressInput:
		rules(in.GroupId, in.SecurityGroupRuleIds, nil, nil)
	case *ec2.ModifySecurityGroupRulesInput:
		add("group-id", *in.GroupId)
		add("security-group-rules", jsonOf(in.SecurityGroupRules))
	case *ec2.ModifyNetworkInterfaceAttributeInput:
		add("network-interface-id", in.NetworkInterfaceId)
		add("groups", in.Groups...)
	case *ec2.DeleteSecurityGroupInput:
		add("group-id", *in.GroupId)
	case *ec2.DisassociateSecurityGroupVpcInput:
		add("group-id", *in.GroupId)
		add("vpc-id", in.VpcId)
	case *RenameSecurityGroupInput:
		return nil // EC2 has no such call
	default:
		panic(fmt.Sprintf("change: no line of the AWS command line for %T", in))
	}
	return []string{line}
}

// kebab gives an action's command: AuthorizeSecurityGroupIngress is
// authorize-security-group-ingress.
func kebab(action string) string {
	var b strings.Builder
	for i, r := range action {
		if unicode.IsUpper(r) {
			if i > 0 {
				b.WriteByte('-')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// jsonOf gives a parameter as the AWS command line reads it: what is not set is
// left out.
func jsonOf(v any) string {
	b, err := json.Marshal(plain(reflect.ValueOf(v)))
	if err != nil {
		panic(err) // of our own types: cannot be
	}
	return string(b)
}

func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		return plain(v.Elem())
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plain(v.Index(i))
		}
		return out
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				out[v.Type().Field(i).Name] = plain(f)
			}
		}
		return out
	}
	return v.Interface()
}

// shellWord quotes a word for every POSIX shell, where it needs that.
func shellWord(s string) string {
	safe := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("-_./:,=@+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
