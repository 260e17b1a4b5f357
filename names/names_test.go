package names_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"moat/names"
	"moat/state"
	"moat/vpc"
)

// world has two VPCs with the same addresses and names in each, so that much
// is ambiguous.
func world(t *testing.T) state.Reader {
	t.Helper()
	st := state.NewStage(state.NewView())
	scope := state.Scope{Region: "us-east-1", Account: "123456789012"}
	tx := st.Begin(state.Call{Scope: scope})
	named := func(n string) vpc.Tags {
		if n == "" {
			return nil
		}
		return vpc.Tags{{Key: "Name", Value: n}}
	}
	for _, v := range []struct{ id, name string }{{"vpc-0a", "shop"}, {"vpc-0b", "lab"}} {
		cidr := netip.MustParsePrefix("10.0.0.0/16")
		state.VPCs.Put(tx, &vpc.VPC{ID: vpc.VPCID(v.id), Tags: named(v.name), Blocks: []vpc.Block{{CIDR: cidr}}})
		state.Subnets.Put(tx, &vpc.Subnet{ID: vpc.SubnetID("subnet-" + v.id[4:]), VPC: vpc.VPCID(v.id), CIDR: cidr,
			IPv6: []vpc.Block{{CIDR: netip.MustParsePrefix("2001:db8::/64")}}})
	}
	for _, g := range []struct{ id, name, vpc string }{
		{"sg-01", "web", "vpc-0a"}, {"sg-02", "web", "vpc-0b"}, {"sg-03", "Ops", "vpc-0a"}, {"sg-04", "team/blue", "vpc-0a"}, {"sg-05", "empty", "vpc-0a"},
	} {
		state.Groups.Put(tx, &vpc.SecurityGroup{ID: vpc.GroupID(g.id), Name: g.name, VPC: vpc.VPCID(g.vpc)})
	}
	for _, i := range []struct {
		id, name, vpc, address, group string
	}{
		{"eni-0a1", "db", "vpc-0a", "10.0.0.5", "sg-01"},
		{"eni-0a2", "front", "vpc-0a", "10.0.0.6", "sg-03"},
		{"eni-0b1", "db", "vpc-0b", "10.0.0.5", "sg-02"},
		{"eni-0b2", "", "vpc-0b", "10.0.0.7", "sg-02"},
		{"eni-0b3", "sg-03", "vpc-0b", "10.0.0.8", "sg-02"},
	} {
		row := &vpc.Interface{ID: vpc.InterfaceID(i.id), VPC: vpc.VPCID(i.vpc), Subnet: vpc.SubnetID("subnet-" + i.vpc[4:]), Tags: named(i.name),
			Addresses: []netip.Addr{netip.MustParseAddr(i.address)}, Groups: []vpc.GroupID{vpc.GroupID(i.group)}}
		if i.id == "eni-0a2" {
			row.IPv6 = []netip.Addr{netip.MustParseAddr("2001:db8::6")}
			row.IPv4Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.9.0/28")}
			row.Attachment = &vpc.Attachment{ID: "eni-attach-1", Instance: "i-0123"}
		}
		state.Interfaces.Put(tx, row)
	}
	state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl-01", Name: "office"})
	state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl-12", Name: "eni-0b2"})
	state.Instances.Put(tx, &vpc.Instance{ID: "i-0123", VPC: "vpc-0a", Tags: named("runner")})
	state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-0612345678", Name: "ruled", VPC: "vpc-0a", Rules: []vpc.Rule{{ID: "sgr-0612345678a"}, {ID: "sgr-0612345678b"}}})
	st.Accept(tx)
	return st.View().In(scope)
}

func TestResolve(t *testing.T) {
	r := world(t)
	end := []names.Kind{names.Interface, names.Address}
	any := []names.Kind{names.Interface, names.Group, names.VPC, names.Subnet, names.PrefixList}
	group := []names.Kind{names.Group}
	for _, row := range []struct {
		want, text string
		kinds      []names.Kind
		vpc        vpc.VPCID
	}{
		// Addresses.
		{"eni-0a2", "10.0.0.6", end, ""},
		{"eni-0a2", "2001:db8::6", end, ""},
		{"eni-0a2", "::ffff:10.0.0.6", end, ""},
		{"eni-0a2", "10.0.9.15", end, ""},   // in a delegated block
		{"10.0.9.16", "10.0.9.16", end, ""}, // past it
		{"192.0.2.1", "192.0.2.1", end, ""}, // nobody's
		{"2001:db8::7", "2001:db8::7", end, ""},
		{"unknown", "10.0.9.16", []names.Kind{names.Interface}, ""},
		{"unknown", "10.0.0.6", group, ""},
		{"ambiguous eni-0a1 eni-0b1", "10.0.0.5", end, ""},
		{"eni-0b1", "10.0.0.5", end, "vpc-0b"},
		{"ambiguous eni-0a1 eni-0b1", "10.0.0.5", end, "vpc-0c"},
		// Ids.
		{"eni-0a1", "eni-0a1", end, ""},
		{"sg-01", "sg-01", any, ""},
		{"unknown", "vpc-0a", end, ""},
		{"eni-0a2", "i-0123", end, ""},
		{"unknown", "i-012", end, ""},
		{"eni-0a2", "sg-03", end, ""}, // a group's id stands for its member, also when a Name says otherwise
		// Names.
		{"eni-0a2", "front", end, ""},
		{"eni-0a2", "runner", end, ""}, // the instance that has it
		{"i-0123", "runner", []names.Kind{names.Interface, names.Instance}, ""},
		// Rules have ids, which begin with digits of their group's.
		{"sgr-0612345678a", "sgr-0612345678a", []names.Kind{names.Rule}, ""},
		{"sgr-0612345678b", "sgr-0612345678b", []names.Kind{names.Rule}, ""},
		{"ambiguous sgr-0612345678a sgr-0612345678b", "sgr-0612345678", []names.Kind{names.Rule}, ""},
		{"ambiguous sgr-0612345678a sgr-0612345678b", "sgr-06", []names.Kind{names.Rule}, ""},
		{"unknown", "sgr-07", []names.Kind{names.Rule}, ""},
		{"unknown", "sgr-0612345678a", any, ""},
		{"unknown", "Front", end, ""}, // tags have a case
		{"sg-03", "ops", group, ""},   // names of groups have none
		{"pl-01", "office", any, ""},
		{"vpc-0b", "lab", any, ""},
		{"ambiguous eni-0a1 eni-0b1", "db", end, ""},
		{"eni-0a1", "db", end, "vpc-0a"},
		{"ambiguous sg-01 sg-02", "web", any, ""},
		{"eni-0a2", "Ops", end, ""}, // the only member of the group
		{"ambiguous eni-0a1 eni-0b1 eni-0b2 eni-0b3", "web", end, ""},
		{"unknown", "empty", end, ""},
		{"sg-05", "empty", group, ""},
		// In a VPC.
		{"sg-02", "vpc-0b/web", any, ""},
		{"sg-01", "shop/web", any, ""},
		{"eni-0a1", "shop/web", end, ""},
		{"eni-0b1", "lab/db", end, ""},
		{"sg-04", "team/blue", group, ""},
		{"sg-04", "shop/team/blue", group, ""},
		{"unknown", "lab/team/blue", group, ""},
		{"unknown", "nowhere/web", group, ""},
		{"eni-0a1", "shop/10.0.0.5", end, ""},
		// Tags.
		{"eni-0a2", "tag:Name=front", end, ""},
		{"unknown", "tag:Name=fron", end, ""},
		{"unknown", "tag:name=front", end, ""},
		{"ambiguous eni-0a1 eni-0b1", "tag:Name=db", end, ""},
		// Beginnings of ids.
		{"eni-0a1", "eni-0a1", any, ""},
		{"ambiguous eni-0a1 eni-0a2", "eni-0a", any, ""},
		{"ambiguous eni-0b1 eni-0b2 eni-0b3", "eni-0b", end, ""},
		{"vpc-0a", "vpc-0a", any, ""},
		{"ambiguous vpc-0a vpc-0b", "vpc-0", any, ""},
		{"pl-01", "pl-0", any, ""},
		{"unknown", "pl-", any, ""},
		{"unknown", "eni-0c", any, ""},
		{"unknown", "pl-0", end, ""},
		{"unknown", "", any, ""},
	} {
		got := ""
		thing, err := names.Resolve(r, names.Query{Text: row.text, Kinds: row.kinds, VPC: row.vpc})
		switch err := err.(type) {
		case nil:
			got = thing.ID
		case *names.UnknownError:
			got = "unknown"
		case *names.AmbiguousError:
			got = "ambiguous"
			for _, c := range err.Candidates {
				got += " " + c.ID
			}
		}
		if got != row.want {
			t.Errorf("%q in %q of %v: got %s, want %s", row.text, row.vpc, row.kinds, got, row.want)
		}
	}
}

// The first kind that has something by the word decides.
func TestResolveFirst(t *testing.T) {
	r := world(t)
	for _, row := range []struct {
		want, text string
		kinds      []names.Kind
	}{
		{"sg-03", "sg-03", []names.Kind{names.Group, names.Interface}}, // an interface has the Name
		{"unknown", "sg-03", []names.Kind{names.VPC, names.Interface}}, // an id is no name
		{"sg-05", "empty", []names.Kind{names.Interface, names.Group}},
		{"eni-0a2", "i-0123", []names.Kind{names.Group, names.Interface}},
		{"ambiguous", "web", []names.Kind{names.Group, names.Interface}},
		{"unknown", "nothing", []names.Kind{names.Group, names.Interface}},
		{"eni-0b2", "eni-0b2", []names.Kind{names.PrefixList, names.Interface}}, // a list is called so
	} {
		thing, err := names.ResolveFirst(r, names.Query{Text: row.text, Kinds: row.kinds})
		got := thing.ID
		switch err.(type) {
		case *names.UnknownError:
			got = "unknown"
		case *names.AmbiguousError:
			got = "ambiguous"
		}
		if got != row.want {
			t.Errorf("%q of %v: got %s, want %s", row.text, row.kinds, got, row.want)
		}
	}
}

func TestComplete(t *testing.T) {
	r := world(t)
	groups := []names.Kind{names.Group}
	for _, row := range []struct {
		text  string
		kinds []names.Kind
		want  string
	}{
		{"", groups, "Ops empty ruled team/blue vpc-0a/web vpc-0b/web"},
		{"w", groups, "vpc-0a/web vpc-0b/web"},
		{"e", groups, "empty"},
		{"vpc-0b/", groups, "vpc-0b/web"},
		{"sg-0", groups, "sg-01 sg-02 sg-03 sg-04 sg-05 sg-0612345678"},
		{"x", groups, ""},
		{"", []names.Kind{names.Interface}, "eni-0b2 front sg-03 vpc-0a/db vpc-0b/db"},
		{"o", []names.Kind{names.PrefixList, names.Group}, "office"},
	} {
		var got []string
		for _, c := range names.Complete(r, row.kinds, row.text) {
			got = append(got, c.Word)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%q: %v, want %s", row.text, got, row.want)
		}
		for _, c := range names.Complete(r, row.kinds, row.text) {
			if c.Word == "sg-03" {
				continue // a Name that is the id of something else
			}
			if thing, err := names.Resolve(r, names.Query{Text: c.Word, Kinds: row.kinds}); err != nil || thing != c.Thing {
				t.Errorf("%q is completed to %s, which is %v, %v", row.text, c.Word, thing, err)
			}
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	r := world(t)
	for _, row := range []struct {
		text, want string
	}{
		{"dbx", `no network interface or address is called "dbx": did you mean db?`},
		{"dxyz", `no network interface or address is called "dxyz"`},
		{"fornt", `no network interface or address is called "fornt": did you mean front?`},
		{"db", `"db" stands for 2 things, write the id of one: eni-0a1 (db, vpc-0a), eni-0b1 (db, vpc-0b)`},
	} {
		_, err := names.Resolve(r, names.Query{Text: row.text, Kinds: []names.Kind{names.Interface, names.Address}})
		if fmt.Sprint(err) != row.want {
			t.Errorf("%q: got %v, want %s", row.text, err, row.want)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for _, row := range []struct {
		text, want string
	}{
		{"web:443", "web tcp 443"},
		{"web:53/udp", "web udp 53"},
		{"web:53/17", "web udp 53"},
		{"10.0.1.5:22", "10.0.1.5 tcp 22"},
		{"[2001:db8::5]:443", "2001:db8::5 tcp 443"},
		{"[2001:db8::5]:53/udp", "2001:db8::5 udp 53"},
		{"2001:db8::5/icmpv6", "2001:db8::5 icmpv6 128"},
		{"[2001:db8::5]/icmpv6", "2001:db8::5 icmpv6 128"},
		{"vpc-1/web:80", "vpc-1/web tcp 80"},
		{"vpc-1/web:80/udp", "vpc-1/web udp 80"},
		{"tag:Name=web:80", "tag:Name=web tcp 80"},
		{"tag:Name=web/icmp", "tag:Name=web icmp 8"},
		{"web/icmp", "web icmp 8"},
		{"web:3.4/icmp", "web icmp 3 code 4"},
		{"web:3/icmp", "web icmp 3"},
		{"web/47", "web 47"},
		{"web:0", "web tcp 0"},
		{"web:65535", "web tcp 65535"},
		{"web:65536", `error: "65536" is no port from 0 to 65535`},
		{"web:http", `error: "http" is no port from 0 to 65535`},
		{"web:-1", `error: "-1" is no port from 0 to 65535`},
		{"web", `error: "web" has no port`},
		{"web/udp", `error: "web/udp" has no port`},
		{"vpc-1/web", `error: "vpc-1/web" has no port`},
		{"2001:db8::5", `error: "2001:db8::5" has no port`},
		{"tag:Name=web", `error: "tag:Name=web" has no port`},
		{"web:80/47", `error: "web:80/47": protocol 47 has no ports`},
		{"web:256/icmp", `error: "256" is no ICMP type`},
		{":80", "error: want NAME:PORT"},
		{"", "error: want NAME:PORT"},
	} {
		tg, err := names.ParseTarget(row.text)
		got := fmt.Sprintf("%s %s %d", tg.Text, tg.Protocol, tg.Port)
		if tg.Protocol == 47 {
			got = tg.Text + " 47"
		}
		if tg.Code != 0 {
			got += fmt.Sprintf(" code %d", tg.Code)
		}
		if err != nil {
			got = "error: " + err.Error()
		}
		if ok := got == row.want || err != nil && strings.HasPrefix(row.want, "error") && strings.HasPrefix(got, row.want); !ok {
			t.Errorf("%q: got %s, want %s", row.text, got, row.want)
		}
	}
}
