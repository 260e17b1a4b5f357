package survey_test

import (
	"fmt"
	"net/netip"
	"testing"

	"moat/flow"
	"moat/state"
	"moat/survey"
	"moat/vpc"
	"moat/words"
)

// big has 10,000 groups of 20 rules, some of them of lists and groups, and as
// many interfaces.
func big(tb testing.TB) *survey.Survey {
	const groups = 10_000
	scope := state.Scope{Region: "us-east-1", Account: "123456789012"}
	st := state.NewStage(state.NewView())
	tx := st.Begin(state.Call{Scope: scope})
	state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-1"})
	l := &vpc.PrefixList{ID: "pl-1", Name: "office"}
	for i := range 100 {
		l.Entries = append(l.Entries, vpc.PrefixListEntry{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(i), 0}), 24)})
	}
	state.PrefixLists.Put(tx, l)
	for n := range groups {
		g := &vpc.SecurityGroup{ID: vpc.GroupID(fmt.Sprintf("sg-%017x", n)), Name: fmt.Sprintf("group-%d", n), VPC: "vpc-1"}
		for i := range 20 {
			r := vpc.Rule{ID: vpc.RuleID(fmt.Sprintf("sgr-%010x%07x", n, i)), Protocol: flow.TCP, Ports: flow.PortRange{From: int32(20 + i), To: int32(20 + i)}}
			switch i % 5 {
			case 0:
				r.Peer.Ref = "pl-1"
			case 1:
				r.Peer.Ref = fmt.Sprintf("sg-%017x", n%100)
			default:
				r.Peer.CIDR = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), byte(i)}), 32)
			}
			g.Rules = append(g.Rules, r)
		}
		state.Groups.Put(tx, g)
		state.Interfaces.Put(tx, &vpc.Interface{ID: vpc.InterfaceID(fmt.Sprintf("eni-%017x", n)), Owner: scope.Account, VPC: "vpc-1", Groups: []vpc.GroupID{vpc.GroupID(fmt.Sprintf("sg-%017x", n%100))},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{172, 16, byte(n >> 8), byte(n)})}})
	}
	st.Accept(tx)
	return &survey.Survey{View: st.View(), Scope: scope}
}

func BenchmarkFind(b *testing.B) {
	s := big(b)
	for _, ip := range []string{"203.0.9.1", "172.16.0.7", "10.1.2.3", "192.0.2.1"} {
		what, _ := words.ParseWhat("21-21")
		p, _ := survey.ParseAddresses(ip)
		b.Run(ip, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Find(survey.Search{Addresses: p, Traffic: &what}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkList(b *testing.B) {
	s := big(b)
	for name, f := range map[string]survey.Filter{"groups": {Groups: true}, "rules": {Rules: true}, "interfaces": {Interfaces: true}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.List(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
