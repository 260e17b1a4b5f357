package server_test

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"moat/server"
	"moat/state"
	"moat/state/statetest"
	"moat/vpc"
)

var historyRevisions = flag.Int("history-revisions", 300, "how many revisions the random history of TestHistory has; 5000 takes some minutes")

func digestOf(v *state.View) [32]byte {
	rows := statetest.Rows(v)
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(h, "%q=%q\n", k, rows[k])
	}
	return [32]byte(h.Sum(nil))
}

// A historian makes random calls of every kind that changes who can reach what.
type historian struct {
	*site
	caller
	r    *rand.Rand
	n    int
	made map[string]int // calls that changed something, by action
}

func pick[T any](r *rand.Rand, all []T) (one T) {
	if len(all) > 0 {
		one = all[r.IntN(len(all))]
	}
	return one
}

func idsOf[K ~string, T any](h *historian, k *state.Kind[K, T]) (ids []string) {
	for row := range k.All(h.store.Latest().In(home)) {
		ids = append(ids, string(k.Key(row)))
	}
	return ids
}

var home = state.Scope{Region: "us-east-1", Account: account}

// step makes one random call, which may be refused.
func (h *historian) step() {
	r := h.r
	h.n++
	space := h.store.Latest().In(home)
	groups, enis, lists := idsOf(h, state.Groups), idsOf(h, state.Interfaces), idsOf(h, state.PrefixLists)
	vpcs, subnets, instances := idsOf(h, state.VPCs), idsOf(h, state.Subnets), idsOf(h, state.Instances)
	group, eni, list := pick(r, groups), pick(r, enis), pick(r, lists)
	name := fmt.Sprintf("n%d", h.n)
	octet := func() string { return fmt.Sprint(r.IntN(256)) }
	direction := pick(r, []string{"Ingress", "Egress"})
	permission := func(prefix string) []string {
		from := r.IntN(60000)
		p := []string{prefix + "IpProtocol", pick(r, []string{"tcp", "udp"}), prefix + "FromPort", fmt.Sprint(from), prefix + "ToPort", fmt.Sprint(from + r.IntN(3))}
		switch r.IntN(4) {
		case 0:
			return append(p, prefix+"Groups.1.GroupId", pick(r, groups), prefix+"Groups.1.Description", "of "+name)
		case 1:
			if list != "" {
				return append(p, prefix+"PrefixListIds.1.PrefixListId", list)
			}
		case 2:
			return append(p, prefix+"Ipv6Ranges.1.CidrIpv6", "2001:db8:"+octet()+"::/48")
		}
		return append(p, prefix+"IpRanges.1.CidrIp", "10."+octet()+".0.0/16", prefix+"IpRanges.1.Description", name)
	}
	var rules []vpc.Rule
	if g := state.Groups.Get(space, vpc.GroupID(group)); g != nil {
		rules = g.Rules
	}
	rule := pick(r, rules)
	var ofRule string
	if ofRule = "Ingress"; rule.Direction {
		ofRule = "Egress"
	}
	var address string
	if row := state.Interfaces.Get(space, vpc.InterfaceID(eni)); row != nil && len(row.Addresses) > 0 {
		address = row.Addresses[len(row.Addresses)-1].String()
	}
	version := int64(0)
	if l := state.PrefixLists.Get(space, vpc.PrefixListID(list)); l != nil {
		version = l.Version
	}
	anything := pick(r, slices.Concat(groups, enis, lists, vpcs, subnets, instances))
	if rule.ID != "" && r.IntN(4) == 0 {
		anything = string(rule.ID)
	}
	switch op := r.IntN(40); op {
	case 0, 1, 2:
		h.call("ec2:CreateSecurityGroup", "GroupName", name, "GroupDescription", "d", "VpcId", pick(r, vpcs))
	case 3:
		h.call("ec2:DeleteSecurityGroup", "GroupId", group)
	case 4, 5, 6, 7, 8, 9:
		h.call("ec2:AuthorizeSecurityGroup"+direction, append([]string{"GroupId", group}, permission("IpPermissions.1.")...)...)
	case 10, 11:
		h.call("ec2:RevokeSecurityGroup"+ofRule, "GroupId", group, "SecurityGroupRuleId.1", string(rule.ID))
	case 12, 13:
		h.call("ec2:ModifySecurityGroupRules", "GroupId", group, "SecurityGroupRule.1.SecurityGroupRuleId", string(rule.ID),
			"SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp", "SecurityGroupRule.1.SecurityGroupRule.FromPort", "1", "SecurityGroupRule.1.SecurityGroupRule.ToPort", fmt.Sprint(1+r.IntN(9)),
			"SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "192.0.2."+octet()+"/32")
	case 14:
		h.call("ec2:UpdateSecurityGroupRuleDescriptions"+ofRule, "GroupId", group, "SecurityGroupRuleDescription.1.SecurityGroupRuleId", string(rule.ID), "SecurityGroupRuleDescription.1.Description", name)
	case 15, 16:
		h.call("ec2:CreateTags", "ResourceId.1", anything, "Tag.1.Key", "k"+fmt.Sprint(r.IntN(3)), "Tag.1.Value", name)
	case 17:
		h.call("ec2:DeleteTags", "ResourceId.1", anything, "Tag.1.Key", "k"+fmt.Sprint(r.IntN(3)))
	case 18, 19:
		h.call("ec2:CreateNetworkInterface", "SubnetId", pick(r, subnets), "SecurityGroupId.1", group)
	case 20:
		h.call("ec2:DeleteNetworkInterface", "NetworkInterfaceId", eni)
	case 21, 22:
		h.call("ec2:ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "SecurityGroupId.1", group, "SecurityGroupId.2", pick(r, groups))
	case 23:
		h.call("ec2:ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "SourceDestCheck.Value", pick(r, []string{"true", "false"}))
	case 24:
		h.call("ec2:AssignPrivateIpAddresses", "NetworkInterfaceId", eni, "SecondaryPrivateIpAddressCount", "1")
	case 25:
		h.call("ec2:UnassignPrivateIpAddresses", "NetworkInterfaceId", eni, "PrivateIpAddress.1", address)
	case 26:
		h.call("ec2:CreateManagedPrefixList", "PrefixListName", name, "AddressFamily", "IPv4", "MaxEntries", "20", "Entry.1.Cidr", "10."+octet()+".0.0/16")
	case 27, 28:
		h.call("ec2:ModifyManagedPrefixList", "PrefixListId", list, "CurrentVersion", fmt.Sprint(version), "AddEntry.1.Cidr", "172."+octet()+".0.0/16", "AddEntry.1.Description", name)
	case 29:
		h.call("ec2:RestoreManagedPrefixListVersion", "PrefixListId", list, "CurrentVersion", fmt.Sprint(version), "PreviousVersion", "1")
	case 30:
		h.call("ec2:DeleteManagedPrefixList", "PrefixListId", list)
	case 31:
		if len(vpcs) < 4 {
			h.call("ec2:CreateVpc", "CidrBlock", fmt.Sprintf("10.%d.0.0/16", r.IntN(200)))
		}
	case 32:
		if v := pick(r, vpcs); v != string(state.DefaultVPC(space).ID) {
			h.call("ec2:CreateSubnet", "VpcId", v, "CidrBlock", state.VPCs.Get(space, vpc.VPCID(v)).CIDR().Addr().String()+"/24")
		}
	case 33:
		h.call("ec2:DeleteSubnet", "SubnetId", pick(r, subnets))
	case 34:
		h.call("ec2:DeleteVpc", "VpcId", pick(r, vpcs))
	case 35:
		h.call("ec2:AssociateSecurityGroupVpc", "GroupId", group, "VpcId", pick(r, vpcs))
	case 36:
		h.call("ec2:DisassociateSecurityGroupVpc", "GroupId", group, "VpcId", pick(r, vpcs))
	case 37:
		switch r.IntN(3) {
		case 0:
			h.call("ec2:RunInstances", "ImageId", image, "MinCount", "1", "MaxCount", "1", "SubnetId", pick(r, subnets), "SecurityGroupId.1", group)
		case 1:
			h.call("ec2:TerminateInstances", "InstanceId.1", pick(r, instances))
		default:
			h.call("ec2:AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", pick(r, instances), "DeviceIndex", "1")
		}
	case 38:
		h.call("ec2:ModifyVpcAttribute", "VpcId", pick(r, vpcs), "EnableDnsHostnames.Value", pick(r, []string{"true", "false"}))
	case 39:
		switch r.IntN(3) {
		case 0:
			h.call("iam:CreateUser", "UserName", name)
		case 1:
			h.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil)
		default:
			h.admin("detach", map[string]string{"interface": eni}, nil)
		}
	}
}

// image is one that RunInstances knows.
var image string

func (h *historian) call(action string, params ...string) {
	rev := h.store.Latest().Rev
	h.sign.at = time.Time{}
	h.try(action, params...)
	if h.store.Latest().Rev > rev {
		h.made[action]++
	}
}

// A random history of everything that changes who can reach what is replayed:
// as of each revision the state is what was recorded at the time, and so is
// what moat ls tells.
func TestHistory(t *testing.T) {
	if testing.Short() {
		*historyRevisions = min(*historyRevisions, 120)
	}
	h := &historian{site: newSite(t, nil), r: rand.New(rand.NewPCG(5, 5)), made: map[string]int{}}
	h.caller = caller{t, h.site.url, signed()}
	image = between(h.must("ec2:DescribeImages", "Owner.1", "amazon"), "<imageId>", "</imageId>")

	look := func(asOf string) string {
		var out server.Listing
		q := server.LookQuery{Kinds: []string{"groups", "rules", "interfaces", "lists"}, AsOf: asOf, Added: true}
		if status, code, message := h.admin("ls?"+q.Encode(), nil, &out); status != 200 {
			t.Fatalf("ls: %d %s: %s", status, code, message)
		}
		out.AsOf = nil
		b, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	was, told := map[uint64][32]byte{}, map[uint64]string{}
	began := map[uint64]time.Time{}
	for h.store.Latest().Rev < uint64(*historyRevisions) {
		if h.n > 20**historyRevisions {
			t.Fatalf("%d calls make only %d revisions", h.n, h.store.Latest().Rev)
		}
		h.step()
		v := h.store.Latest()
		if _, ok := was[v.Rev]; ok {
			continue
		}
		was[v.Rev], began[v.Rev] = digestOf(v), time.Now()
		if v.Rev%20 == 0 {
			told[v.Rev] = look("")
		}
	}
	kinds := map[string]int{}
	for action, n := range h.made {
		kinds[strings.TrimPrefix(action, "ec2:")] = n
	}
	if len(kinds) < 22 && *historyRevisions >= 300 {
		t.Errorf("only %d kinds of calls changed something: %v", len(kinds), kinds)
	}
	head := h.store.Latest().Rev
	for rev, want := range was {
		v, err := h.store.AsOf(t.Context(), rev)
		if err != nil {
			t.Fatal(err)
		}
		if v.Rev != rev || digestOf(v) != want {
			t.Fatalf("as of revision %d of %d the state is another than at the time", rev, head)
		}
		if at, err := h.store.RevisionAt(t.Context(), began[rev]); err != nil || at != rev {
			t.Errorf("the revision at %v is %d, %v; it was %d", began[rev], at, err, rev)
		}
	}
	for rev, want := range told {
		if got := look(fmt.Sprint(rev)); got != want {
			t.Fatalf("ls as of revision %d:\n%s\nat the time:\n%s", rev, got, want)
		}
	}
	if len(was) < *historyRevisions*9/10 || len(told) < *historyRevisions/30 {
		t.Errorf("of %d revisions only %d were recorded, and %d listings", head, len(was), len(told))
	}
}
