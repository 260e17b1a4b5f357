package ec2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// tagLines gives what DescribeTags shows, a line "type key=value" for each tag
// of a resource.
func tagLines(w *ec2test.World, params ...string) string {
	var out []string
	for _, item := range ec2test.Text(w.Must("DescribeTags", params...), "item") {
		out = append(out, ec2test.One(item, "resourceType")+" "+ec2test.One(item, "key")+"="+ec2test.One(item, "value"))
	}
	return strings.Join(out, "; ")
}

func tagsOn(w *ec2test.World, id string) string {
	return tagLines(w, "Filter.1.Name", "resource-id", "Filter.1.Value.1", id)
}

// someOfEach gives the ids of one resource of each type that has tags.
func someOfEach(t *testing.T, w *ec2test.World) map[string]string {
	t.Helper()
	list := newList(t, w, 1)
	group, rules := namingGroup(w, "tagged", list)
	ids := map[string]string{"prefix-list": list, "security-group": group, "security-group-rule": rules[0]}
	v := state.DefaultVPC(w.Space())
	ids["vpc"] = string(v.ID)
	for s := range state.Subnets.All(w.Space()) {
		ids["subnet"] = string(s.ID)
	}
	for g := range state.InternetGateways.All(w.Space()) {
		ids["internet-gateway"] = string(g.ID)
	}
	ids["route-table"] = string(state.MainTable(w.Space(), v.ID).Table)
	ids["network-acl"] = string(state.DefaultACL(w.Space(), v.ID).ID)
	ids["dhcp-options"] = v.DHCPOptions
	ids["instance"] = launch(w)[0]
	for v := range state.Volumes.All(w.Space()) {
		ids["volume"] = string(v.ID)
	}
	w.Stage(func(tx *state.Txn) error {
		state.Endpoints.Put(tx, &vpc.Endpoint{ID: "vpce-0123456789abcdef0", Owner: tx.Account, VPC: v.ID})
		state.Peerings.Put(tx, &vpc.Peering{ID: "pcx-0123456789abcdef0", Status: vpc.PeeringActive})
		ids["vpc-endpoint"], ids["vpc-peering-connection"] = "vpce-0123456789abcdef0", "pcx-0123456789abcdef0"
		i := &vpc.Interface{ID: vpc.InterfaceID(tx.NewID("eni")), Owner: tx.Account, VPC: v.ID, Subnet: vpc.SubnetID(ids["subnet"])}
		state.Interfaces.Put(tx, i)
		ids["network-interface"] = string(i.ID)
		k := &vpc.KeyPair{ID: vpc.KeyPairID(tx.NewID(vpc.KeyPairPrefix)), Owner: tx.Account, Name: "mine"}
		state.KeyPairs.Put(tx, k)
		ids["key-pair"] = string(k.ID)
		a := &vpc.Address{ID: vpc.AllocationID(tx.NewID(vpc.AllocationPrefix)), Owner: tx.Account}
		state.Addresses.Put(tx, a)
		ids["elastic-ip"] = string(a.ID)
		return nil
	})
	return ids
}

func TestEveryKindWithTagsCanBeTagged(t *testing.T) {
	w := ec2test.New(t)
	ids := someOfEach(t, w)
	for _, k := range state.Kinds {
		if k.IDPrefix() != "" && ids[k.ResourceType()] == "" {
			t.Errorf("no resource of type %s is tested here", k.ResourceType())
		}
	}
	params := []string{"Tag.1.Key", "env", "Tag.1.Value", "test", "Tag.2.Key", "Env"}
	n := 0
	for _, id := range ids {
		n++
		params = append(params, fmt.Sprintf("ResourceId.%d", n), id)
	}
	xml := w.Must("CreateTags", params...)
	eq(t, "return", ec2test.One(xml, "return"), "true")
	for resource, id := range ids {
		eq(t, "tags of the "+resource, tagsOn(w, id), resource+" Env=; "+resource+" env=test")
	}
	if list := w.Must("DescribeManagedPrefixLists", "PrefixListId.1", ids["prefix-list"]); !strings.Contains(list, "<tagSet><item><key>Env</key><value/></item><item><key>env</key><value>test</value></item></tagSet>") {
		t.Errorf("the list does not show its tags: %s", list)
	}
	before := w.View
	w.Must("CreateTags", params...)
	if now := state.Groups.Get(w.Space(), vpc.GroupID(ids["security-group"])); now != state.Groups.Get(before.In(w.Scope), now.ID) {
		t.Error("setting tags that are there already wrote the group anew")
	}
	w.Must("DeleteTags", params[4:]...) // Env, whatever its value
	for resource, id := range ids {
		eq(t, "tags left of the "+resource, tagsOn(w, id), resource+" env=test")
	}
}

func TestGroupAndItsRulesInOneCall(t *testing.T) {
	w := ec2test.New(t)
	group, rules := namingGroup(w, "g", s3List, s3List, s3List)
	before := state.Groups.Get(w.Space(), vpc.GroupID(group))
	w.Must("CreateTags", "ResourceId.1", rules[0], "ResourceId.2", group, "ResourceId.3", rules[2], "ResourceId.4", rules[0],
		"Tag.1.Key", "k", "Tag.1.Value", "v")
	if len(before.Tags)+len(before.Rules[0].Tags) > 0 {
		t.Error("the row of an earlier view changed")
	}
	eq(t, "tags of the group", tagsOn(w, group), "security-group k=v")
	eq(t, "tags of the first rule", tagsOn(w, rules[0]), "security-group-rule k=v")
	eq(t, "tags of the second rule", tagsOn(w, rules[1]), "")
	eq(t, "tags of the third rule", tagsOn(w, rules[2]), "security-group-rule k=v")
	w.Must("DeleteTags", "ResourceId.1", rules[0])
	eq(t, "tags of the first rule", tagsOn(w, rules[0]), "")
	eq(t, "tags of the third rule", tagsOn(w, rules[2]), "security-group-rule k=v")
	eq(t, "rules", len(state.Groups.Get(w.Space(), vpc.GroupID(group)).Rules), 3)
}

func TestCreateTagsReplacesByKey(t *testing.T) {
	w := ec2test.New(t)
	id := newList(t, w, 1)
	w.Must("CreateTags", "ResourceId.1", id, "Tag.1.Key", "a", "Tag.1.Value", "1", "Tag.2.Key", "b", "Tag.2.Value", "1")
	w.Must("CreateTags", "ResourceId.1", id, "Tag.1.Key", "b", "Tag.1.Value", "2", "Tag.2.Key", "A", "Tag.2.Value", "3")
	eq(t, "tags", tagsOn(w, id), "prefix-list A=3; prefix-list a=1; prefix-list b=2")
}

func TestCreateTagsRefusals(t *testing.T) {
	w := ec2test.New(t)
	id := newList(t, w, 1)
	unknown := "0123456789abcdef0"
	tag := func(ids ...string) []string {
		out := []string{"Tag.1.Key", "k", "Tag.1.Value", "v"}
		for i, id := range ids {
			out = append(out, fmt.Sprintf("ResourceId.%d", i+1), id)
		}
		return out
	}
	with := func(key, value string) []string {
		return []string{"ResourceId.1", id, "Tag.1.Key", key, "Tag.1.Value", value}
	}
	many := make([]string, 1001)
	for i := range many {
		many[i] = id
	}
	var fifty []string
	for i := range 50 {
		fifty = append(fifty, fmt.Sprintf("Tag.%d.Key", i+1), fmt.Sprint("key", i))
	}
	for _, c := range []struct {
		code, message string
		params        []string
	}{
		{"MissingParameter", "The request must contain the parameter resourceIdSet", tag()},
		{"MissingParameter", "The request must contain the parameter tagSet", []string{"ResourceId.1", id}},
		{"InvalidID", "The ID 'x' is not valid", tag(id, "x")},
		{"InvalidID", "The ID '' is not valid", tag("")},
		{"InvalidID", "The ID 'ami-" + unknown + "' is not valid", tag("ami-" + unknown)},
		{"InvalidVpcID.NotFound", "The vpc ID 'vpc-" + unknown + "' does not exist", tag(id, "vpc-"+unknown)},
		{"InvalidSubnetID.NotFound", "The subnet ID 'subnet-" + unknown + "' does not exist", tag(id, "subnet-"+unknown)},
		{"InvalidGroup.NotFound", "The security group 'sg-" + unknown + "' does not exist", tag(id, "sg-"+unknown)},
		{"InvalidSecurityGroupRuleId.NotFound", "The security group rule ID 'sgr-" + unknown + "' does not exist", tag(id, "sgr-"+unknown)},
		{"InvalidSecurityGroupRuleId.NotFound", "The security group rule ID 'sgr-xyz' does not exist", tag("sgr-xyz")},
		{"InvalidNetworkInterfaceID.NotFound", "The networkInterface ID 'eni-" + unknown + "' does not exist", tag(id, "eni-"+unknown)},
		{"InvalidPrefixListID.NotFound", "The prefix list ID '" + noList + "' does not exist", tag(id, noList)},
		{"InvalidVpcID.Malformed", `Invalid id: "vpc-1" (expecting "vpc-...")`, tag("vpc-1")},
		{"InvalidSubnetID.Malformed", `Invalid id: "subnet-1" (expecting "subnet-...")`, tag("subnet-1")},
		{"InvalidGroupId.Malformed", `Invalid id: "sg-BAD"`, tag("sg-BAD")},
		{"InvalidSecurityGroupRuleId.Malformed", `Invalid id: "sgr-0123456789abcdef01"`, tag("sgr-0123456789abcdef01")},
		{"InvalidNetworkInterfaceId.Malformed", `Invalid id: "eni-1" (expecting "eni-...")`, tag("eni-1")},
		{"InvalidPrefixListId.Malformed", `Invalid id: "pl-1" (expecting "pl-...")`, tag("pl-1")},
		{"InvalidGroupId.Malformed", "", tag("vpc-"+unknown, "sg-1")}, // the form of all comes first
		{"OperationNotPermitted", "The prefix list '" + s3List + "' is managed by AWS and does not permit this operation.", tag(id, s3List)},
		{"InvalidParameterValue", "The number of resources per request cannot exceed the limit (1000).", tag(many...)},
		{"InvalidParameterValue", "Value ( aws:x ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", with("aws:x", "v")},
		{"InvalidParameterValue", "", with("AWS:x", "v")},
		{"InvalidParameterValue", "Value ( '' ) for parameter Tag key is invalid. Tag key cannot be null or empty.", with("", "v")},
		{"InvalidParameterValue", "", with(strings.Repeat("k", 129), "v")},
		{"InvalidParameterValue", "", with("k", strings.Repeat("v", 257))},
		{"InvalidParameterValue", "", []string{"ResourceId.1", id, "Tag.1.Key", "k", "Tag.2.Key", "k"}},
		{"TagLimitExceeded", "The maximum number of Tags for a resource has been reached.", append([]string{"ResourceId.1", id, "Tag.51.Key", "one more"}, fifty...)},
		{"DryRunOperation", "", append(tag(id), "DryRun", "true")},
	} {
		if got := w.Refused(c.code, "CreateTags", c.params...); c.message != "" && got != c.message {
			t.Errorf("%q: message %q, want %q", c.params, got, c.message)
		}
	}
	w.Must("CreateTags", tag(many[:1000]...)...)
	w.Must("CreateTags", with(strings.Repeat("ü", 128), strings.Repeat("ü", 256))...)
	w.Must("DeleteTags", "ResourceId.1", id)
	w.Must("CreateTags", append([]string{"ResourceId.1", id}, fifty...)...)
	w.Must("CreateTags", with("key7", "changed")...) // one of the fifty
	w.Refused("TagLimitExceeded", "CreateTags", with("one more", "v")...)
	w.Must("CreateTags", "ResourceId.1", newList(t, w, 1), "Tag.1.Key", "other list")
}

func TestSurprise20_DeleteTagsTellsAbsentFromEmpty(t *testing.T) {
	const a = "prefix-list a=; prefix-list b=x; prefix-list c=y"
	for _, c := range []struct {
		want   string
		params []string
	}{
		{"", nil},
		{"prefix-list b=x; prefix-list c=y", []string{"Tag.1.Key", "a"}},
		{"prefix-list a=; prefix-list c=y", []string{"Tag.1.Key", "b"}},
		{"prefix-list b=x; prefix-list c=y", []string{"Tag.1.Key", "a", "Tag.1.Value", ""}},
		{a, []string{"Tag.1.Key", "b", "Tag.1.Value", ""}},
		{a, []string{"Tag.1.Key", "b", "Tag.1.Value", "y"}},
		{"prefix-list a=; prefix-list c=y", []string{"Tag.1.Key", "b", "Tag.1.Value", "x"}},
		{a, []string{"Tag.1.Key", "B"}},
		{"prefix-list b=x", []string{"Tag.1.Key", "a", "Tag.2.Key", "b", "Tag.2.Value", "z", "Tag.3.Key", "c"}},
	} {
		w := ec2test.New(t)
		id, other := newList(t, w, 1), newList(t, w, 1)
		w.Must("CreateTags", "ResourceId.1", id, "ResourceId.2", other, "Tag.1.Key", "a", "Tag.1.Value", "", "Tag.2.Key", "b", "Tag.2.Value", "x", "Tag.3.Key", "c", "Tag.3.Value", "y")
		eq(t, "return", ec2test.One(w.Must("DeleteTags", append([]string{"ResourceId.1", id}, c.params...)...), "return"), "true")
		eq(t, fmt.Sprintf("after %q", c.params), tagsOn(w, id), c.want)
		eq(t, "of the other", tagsOn(w, other), a)
	}

	w := ec2test.New(t)
	id := newList(t, w, 1)
	w.Must("CreateTags", "ResourceId.1", id, "Tag.1.Key", "a")
	for _, c := range []struct {
		code   string
		params []string
	}{
		{"MissingParameter", []string{"Tag.1.Key", "a"}},
		{"InvalidParameterValue", []string{"ResourceId.1", id, "Tag.1.Key", "aws:x"}},
		{"InvalidParameterValue", []string{"ResourceId.1", id, "Tag.1.Key", ""}},
		{"InvalidPrefixListID.NotFound", []string{"ResourceId.1", id, "ResourceId.2", noList}},
		{"InvalidID", []string{"ResourceId.1", id, "ResourceId.2", "x-1"}},
		{"OperationNotPermitted", []string{"ResourceId.1", s3List}},
		{"DryRunOperation", []string{"ResourceId.1", id, "DryRun", "true"}},
	} {
		w.Refused(c.code, "DeleteTags", c.params...)
	}
}

func TestDescribeTags(t *testing.T) {
	w := ec2test.New(t)
	ids := someOfEach(t, w)
	group, rule, list, net := ids["security-group"], ids["security-group-rule"], ids["prefix-list"], ids["vpc"]
	w.Must("CreateTags", "ResourceId.1", group, "ResourceId.2", rule, "Tag.1.Key", "env", "Tag.1.Value", "test")
	w.Must("CreateTags", "ResourceId.1", list, "ResourceId.2", net, "Tag.1.Key", "env", "Tag.1.Value", "prod")
	w.Must("CreateTags", "ResourceId.1", list, "Tag.1.Key", "Name")

	const all = "prefix-list Name=; prefix-list env=prod; security-group env=test; security-group-rule env=test; vpc env=prod"
	f := func(pairs ...string) []string { // name, value, name, value
		var out []string
		for i := 0; i < len(pairs); i += 2 {
			n := i/2 + 1
			out = append(out, fmt.Sprintf("Filter.%d.Name", n), pairs[i])
			for j, v := range strings.Split(pairs[i+1], "|") {
				out = append(out, fmt.Sprintf("Filter.%d.Value.%d", n, j+1), v)
			}
		}
		return out
	}
	for _, c := range []struct {
		want   string
		params []string
	}{
		{all, nil},
		{"security-group env=test", f("resource-id", group)},
		{"security-group-rule env=test", f("resource-id", rule)},
		{"", f("resource-id", ids["subnet"])},
		{"", f("resource-id", noList)},
		{"", f("resource-id", "nonsense")},
		{"prefix-list Name=; prefix-list env=prod; security-group env=test", f("resource-id", group+"|"+list)},
		{"prefix-list Name=; prefix-list env=prod", f("resource-id", "pl-*")},
		{"prefix-list env=prod", f("key", "env", "resource-id", list)}, // as Terraform asks
		{"", f("key", "aws:ec2launchtemplate:id", "resource-id", list)},
		{"prefix-list Name=", f("key", "Name")},
		{"", f("key", "name")},
		{"security-group env=test; security-group-rule env=test", f("resource-type", "security-group*")},
		{"security-group env=test", f("resource-type", "security-group")},
		{"", f("resource-type", "instance")},
		{"", f("resource-type", "vpc", "resource-id", group)},
		{"security-group env=test; security-group-rule env=test", f("value", "test")},
		{"prefix-list Name=", f("value", "")},
		{all, f("value", "*")},
		{"prefix-list env=prod; vpc env=prod", f("tag:env", "prod")},
		{"prefix-list env=prod; security-group env=test; security-group-rule env=test; vpc env=prod", f("tag:env", "prod|test")},
		{"security-group env=test; security-group-rule env=test", f("tag:env", "t?st")},
		{"", f("tag:Env", "prod")},
		{"security-group-rule env=test", f("tag:env", "test", "resource-type", "security-group-rule")},
		{"prefix-list Name=", f("tag-key", "N*")},
		{"vpc env=prod", f("key", "env", "value", "prod", "resource-type", "vpc")},
	} {
		eq(t, fmt.Sprintf("%q", c.params), tagLines(w, c.params...), c.want)
	}
	xml := w.Must("DescribeTags", f("key", "Name")...)
	if want := "<item><key>Name</key><resourceId>" + list + "</resourceId><resourceType>prefix-list</resourceType><value/></item>"; !strings.Contains(xml, want) {
		t.Errorf("got %s, want in it %s", xml, want)
	}
	if xml := w.Must("DescribeTags", f("key", "none")...); !strings.Contains(xml, "<tagSet/>") {
		t.Errorf("no tags are not an empty set: %s", xml)
	}

	eq(t, "unknown filter", w.Refused("InvalidParameterValue", "DescribeTags", f("owner-id", "x")...), "The filter 'owner-id' is invalid")
	w.Refused("InvalidParameterValue", "DescribeTags", "MaxResults", "4")
	w.Refused("InvalidParameterValue", "DescribeTags", "MaxResults", "1001")
	w.Refused("InvalidParameterValue", "DescribeTags", "NextToken", "garbage")
	w.Refused("DryRunOperation", "DescribeTags", "DryRun", "true")
}

// Pages give every tag once and in order, also when tags come and go between
// them, across rules of groups whose ids begin alike.
func TestDescribeTagsPages(t *testing.T) {
	w := ec2test.New(t)
	w.Stage(func(tx *state.Txn) error {
		for i, id := range []vpc.GroupID{"sg-00000000010000001", "sg-00000000010000002", "sg-00000000020000001"} {
			g := &vpc.SecurityGroup{ID: id, Owner: tx.Account, VPC: state.DefaultVPC(tx).ID, Name: fmt.Sprint("g", i)}
			for range 4 {
				g.Rules = append(g.Rules, vpc.Rule{ID: tx.NewRuleID(g), Peer: vpc.Peer{Ref: s3List}, Tags: vpc.Tags{{Key: "a"}, {Key: "b", Value: "v"}}})
			}
			state.Groups.Put(tx, g)
			state.Groups.SetTags(tx, string(id), vpc.Tags{{Key: "a"}})
		}
		return nil
	})
	v := string(state.DefaultVPC(w.Space()).ID)
	w.Must("CreateTags", "ResourceId.1", v, "Tag.1.Key", "a", "Tag.2.Key", "b")

	rows := func(xml string) (out []string) {
		ids, keys := ec2test.Text(xml, "resourceId"), ec2test.Text(xml, "key")
		for i := range ids {
			out = append(out, ids[i]+" "+keys[i])
		}
		return out
	}
	all := rows(w.Must("DescribeTags"))
	eq(t, "tags", len(all), 3+3*4*2+2)
	if !slices.IsSorted(all) {
		t.Errorf("not in order: %v", all)
	}
	var paged []string
	token := ""
	for range len(all) {
		xml := w.Must("DescribeTags", "MaxResults", "7", "NextToken", token)
		page := rows(xml)
		paged = append(paged, page...)
		if token = ec2test.One(xml, "nextToken"); token == "" {
			break
		}
		last := strings.Fields(page[len(page)-1]) // shown, so its going must not matter
		w.Must("DeleteTags", "ResourceId.1", last[0], "Tag.1.Key", last[1])
	}
	if !slices.Equal(paged, all) {
		t.Errorf("pages give\n%v, want\n%v", paged, all)
	}
}

func TestTagsOfATypeThatMoatDoesNotKnowAreRefusedWhole(t *testing.T) {
	w := ec2test.New(t)
	id := newList(t, w, 1)
	if _, f := w.Do("CreateTags", "ResourceId.1", id, "ResourceId.2", "lt-0123456789abcdef0", "Tag.1.Key", "k"); f == nil || f.Code != fault.InvalidID.Code {
		t.Errorf("a launch template: %v, want InvalidID", f)
	}
	eq(t, "tags", tagsOn(w, id), "")
}
