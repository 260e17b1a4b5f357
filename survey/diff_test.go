package survey_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/state"
	"moat/state/statetest"
	"moat/survey"
)

// text gives a difference in lines, ids replaced by names.
func (w *site) text(d *survey.Diff) string {
	var b strings.Builder
	for _, c := range d.Changes {
		fmt.Fprintf(&b, "%s %s %s\n", c.Op, c.Kind, c.Called())
		for _, x := range c.Details {
			fmt.Fprintf(&b, "  %s %s\n", x.Sign, x.Text)
		}
	}
	text := b.String()
	for name, id := range w.ids {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}

func TestCompare(t *testing.T) {
	w := newSite(t)
	w.group("web")
	w.group("app")
	w.group("gone")
	w.list("office", "203.0.113.0/24")
	w.iface("web1", "172.31.0.10", "web")
	w.allow("in", "web", "tcp 443", "0.0.0.0/0")
	w.allow("in", "web", "tcp 22", "office")
	rule := func(i int) string {
		return string(state.GroupByName(w.Space(), state.DefaultVPC(w.Space()).ID, "web").Rules[i].ID)
	}
	for _, row := range []struct {
		what string
		do   func()
		want string
	}{
		{"a rule comes", func() { w.allow("in", "app", "tcp 8080", "web") }, `
changed security group app
  + http-alt 8080/tcp from group web
`},
		{"a rule goes", func() {
			w.Must("RevokeSecurityGroupIngress", "GroupId", w.ids["web"], "SecurityGroupRuleId.1", rule(1))
		}, `
changed security group web
  - https 443/tcp from anywhere (0.0.0.0/0)
`},
		{"a rule is another", func() {
			w.Must("ModifySecurityGroupRules", "GroupId", w.ids["web"], "SecurityGroupRule.1.SecurityGroupRuleId", rule(1), "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp",
				"SecurityGroupRule.1.SecurityGroupRule.FromPort", "22", "SecurityGroupRule.1.SecurityGroupRule.ToPort", "23", "SecurityGroupRule.1.SecurityGroupRule.PrefixListId", w.ids["office"])
		}, `
changed security group web
  ~ ssh 22/tcp from list office is now 22-23/tcp from list office
`},
		{"a rule is called something", func() {
			w.Must("UpdateSecurityGroupRuleDescriptionsIngress", "GroupId", w.ids["web"], "SecurityGroupRuleDescription.1.SecurityGroupRuleId", rule(1), "SecurityGroupRuleDescription.1.Description", "door")
		}, `
changed security group web
  ~ 22-23/tcp from list office is now 22-23/tcp from list office (door)
`},
		{"a rule is tagged", func() { w.Must("CreateTags", "ResourceId.1", rule(1), "Tag.1.Key", "a", "Tag.1.Value", "b") }, `
changed security group web
  ~ 22-23/tcp from list office (door): its tags are others
`},
		{"tags", func() {
			w.Must("CreateTags", "ResourceId.1", w.ids["web"], "Tag.1.Key", "tier", "Tag.1.Value", "front")
			w.Must("CreateTags", "ResourceId.1", w.ids["web1"], "Tag.1.Key", "Name", "Tag.1.Value", "www1")
		}, `
changed security group web
  + tag tier=front
changed network interface www1
  ~ tag Name=web1 is now www1
`},
		{"an interface changes groups", func() {
			w.Must("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", w.ids["web1"], "SecurityGroupId.1", w.ids["app"])
		}, `
changed network interface www1
  - group web
  + group app
`},
		{"an interface gets an address, and is checked no more", func() {
			w.Must("AssignPrivateIpAddresses", "NetworkInterfaceId", w.ids["web1"], "PrivateIpAddress.1", "172.31.0.99")
			w.Must("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", w.ids["web1"], "SourceDestCheck.Value", "false")
		}, `
changed network interface www1
  + address 172.31.0.99
  ~ source dest check true is now false
`},
		{"a list has other entries", func() {
			w.Must("ModifyManagedPrefixList", "PrefixListId", w.ids["office"], "CurrentVersion", "1", "AddEntry.1.Cidr", "198.51.100.0/24", "AddEntry.1.Description", "Rome", "RemoveEntry.1.Cidr", "203.0.113.0/24")
		}, `
changed prefix list office
  - 203.0.113.0/24
  + 198.51.100.0/24 (Rome)
`},
		{"something comes and goes", func() {
			id := ec2test.One(w.Must("CreateSecurityGroup", "GroupName", "brief", "GroupDescription", "d"), "groupId")
			w.Must("DeleteSecurityGroup", "GroupId", id)
		}, ""},
		{"a group goes", func() { w.Must("DeleteSecurityGroup", "GroupId", w.ids["gone"]) }, `
removed security group gone
  - everything to anywhere (0.0.0.0/0)
`},
		{"a subnet is another", func() {
			for s := range state.Subnets.All(w.Space()) {
				w.ids["SUBNET"] = string(s.ID)
			}
			w.Must("ModifySubnetAttribute", "SubnetId", w.ids["SUBNET"], "MapPublicIpOnLaunch.Value", "false")
		}, `
changed subnet SUBNET
  ~ map public IP true is now false
`},
		{"another kind", func() {
			w.Must("ModifyVpcAttribute", "VpcId", string(state.DefaultVPC(w.Space()).ID), "EnableDnsSupport.Value", "false")
		}, `
changed VPC VPC
  ~ enable DNS support true is now false
`},
	} {
		before := w.View
		row.do()
		w.ids["VPC"] = string(state.DefaultVPC(w.Space()).ID)
		if got := w.text(survey.Compare(before, w.View, touched(before, w.View), everything, w.Scope)); got != strings.TrimPrefix(row.want, "\n") {
			t.Errorf("%s:\n got %s\nwant %s", row.what, got, row.want)
		}
		if d := survey.Compare(before, w.View, touched(before, w.View), everything, state.Scope{Region: "eu-west-1", Account: w.Scope.Account}); len(d.Changes) > 0 {
			t.Errorf("%s: told to another scope: %+v", row.what, d)
		}
	}
}

func everything(state.AnyKind, string) bool { return true }

// Of what somebody may not see it is told how much is different, and no more.
func TestCompareHides(t *testing.T) {
	w := newSite(t)
	before := w.View
	w.group("web")
	w.list("office", "203.0.113.0/24")
	d := survey.Compare(before, w.View, touched(before, w.View), func(k state.AnyKind, _ string) bool { return k != state.AnyKind(state.PrefixLists) }, w.Scope)
	if got := w.text(d); d.Hidden != 1 || strings.Contains(got, "office") || !strings.Contains(got, "added security group web") {
		t.Errorf("hidden %d of\n%s", d.Hidden, got)
	}
}

// touched gives the keys of two views' rows.
func touched(a, b *state.View) (keys []string) {
	for key := range statetest.Rows(a) {
		keys = append(keys, key)
	}
	for key := range statetest.Rows(b) {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Whatever field of whatever kind of record is another, it is told, but for
// what nobody sees.
func TestCompareMissesNothing(t *testing.T) {
	quiet := []string{"plv", "token", "space", "keyuse"}
	// Fields that say nothing by themselves.
	without := map[string][]string{"sg": {"EgressTouched"}, "pl": {"Version", "State", "StateMessage"}}
	scope := state.Scope{Region: "us-east-1", Account: "123456789012"}
	r := rand.New(rand.NewPCG(3, 1))
	told := 0
	for _, k := range statetest.Kinds {
		for n := range 40 {
			st := state.NewStage(state.NewView())
			tx := st.Begin(state.Call{Scope: scope})
			row := k.Random(r, n%5)
			k.Put(tx, row)
			st.Accept(tx)
			before := st.View()

			// The same row, but for one field.
			other := k.Random(r, n%5)
			changed := reflect.New(reflect.TypeOf(row).Elem())
			changed.Elem().Set(reflect.ValueOf(row).Elem())
			at := r.IntN(changed.Elem().NumField())
			field := changed.Elem().Type().Field(at).Name
			changed.Elem().Field(at).Set(reflect.ValueOf(other).Elem().Field(at))
			if k.Key(changed.Interface()) != k.Key(row) || reflect.DeepEqual(changed.Interface(), row) || slices.Contains(without[k.Name()], field) {
				continue
			}
			st = state.NewStage(before)
			tx = st.Begin(state.Call{Scope: scope})
			k.Put(tx, changed.Interface())
			st.Accept(tx)
			d := survey.Compare(before, st.View(), touched(before, st.View()), everything, scope)
			switch {
			case slices.Contains(quiet, k.Name()):
				if len(d.Changes) > 0 {
					t.Errorf("%s: %+v", k.Name(), d.Changes)
				}
			case len(d.Changes) != 1 || d.Changes[0].Op != "changed":
				t.Errorf("%s, field %s: %+v", k.Name(), field, d.Changes)
			default:
				told++
			}
		}
	}
	if told < 300 {
		t.Errorf("only %d changes were told", told)
	}
}
