package ruleset_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"moat/ruleset"
	"moat/state"
	"moat/vpc"
)

// plain gives a ruleset by what it says, however it is kept.
func plain(rs *ruleset.Ruleset) []any {
	return []any{rs.Rev, len(rs.Interfaces), slices.Clone(rs.Interfaces), slices.Clone(rs.Policies), slices.Collect(rs.Members.All())}
}

// TestCompilerGivesWhatCompileGives is the law that nothing is left of views
// before: after each of many random changes a compiler that has seen all of them
// gives the ruleset that one gives that has seen nothing; and the difference to
// the one before, put upon it, is the new one.
func TestCompilerGivesWhatCompileGives(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t)
		vpcs := []vpc.VPCID{"vpc-1", "vpc-2", "vpc-3"}
		groups := []string{"a", "b", "c", "d", "e"}
		w.stage(func(tx *state.Txn) {
			for _, v := range vpcs {
				// All have the same blocks: addresses of two may be the same.
				state.VPCs.Put(tx, &vpc.VPC{ID: v, Blocks: []vpc.Block{{CIDR: netip.MustParsePrefix("10.0.0.0/16")}}})
				for i := range 2 {
					state.Subnets.Put(tx, &vpc.Subnet{ID: vpc.SubnetID(fmt.Sprintf("subnet-%s-%d", v, i)), VPC: v})
				}
			}
		})
		pick := func(s []string) string { return s[r.IntN(len(s))] }
		change := func(tx *state.Txn) {
			switch id := vpc.InterfaceID(fmt.Sprintf("eni-%03d", r.IntN(60))); r.IntN(20) {
			case 0:
				g := &vpc.SecurityGroup{ID: groupID(pick(groups)), VPC: "vpc-1"}
				if r.IntN(3) == 0 {
					g.Tags = vpc.Tags{{Key: ruleset.OnRevokeTag, Value: pick([]string{"aws", "drain 3", "cut"})}}
				}
				for i := range r.IntN(4) {
					rule := parseRule(t, pick([]string{"in", "out"})+" tcp "+fmt.Sprint(r.IntN(3))+" from "+pick([]string{"a", "b", "c", "list:l", "10.1.0.0/16"}))
					rule.ID = vpc.RuleID(fmt.Sprintf("sgr-%s-%d", g.ID, i))
					g.Rules = append(g.Rules, rule)
				}
				state.Groups.Put(tx, g)
			case 1:
				state.PrefixLists.Put(tx, &vpc.PrefixList{ID: "pl-l", Entries: []vpc.PrefixListEntry{{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(r.IntN(3)), 0}), 24)}}})
			case 2:
				side := func(v vpc.VPCID) vpc.PeeringSide {
					return vpc.PeeringSide{Owner: scope.Account, Region: scope.Region, VPC: v}
				}
				n := r.IntN(2)
				state.Peerings.Put(tx, &vpc.Peering{ID: vpc.PeeringID(fmt.Sprintf("pcx-%d", n)), Requester: side("vpc-1"), Accepter: side(vpcs[1+n]), Status: pick([]string{"active", "deleted"})})
			case 3, 4, 5:
				state.Interfaces.Delete(tx, id)
			case 6:
				state.Groups.Delete(tx, groupID(pick(groups)))
			case 7: // an address goes from one to another
				for x := range state.Interfaces.From(tx, id) {
					y := *x
					y.ID = "eni-taker"
					state.Interfaces.Delete(tx, x.ID)
					state.Interfaces.Put(tx, &y)
					break
				}
			default:
				v := vpcs[r.IntN(3)]
				x := &vpc.Interface{ID: id, VPC: v, Subnet: vpc.SubnetID(fmt.Sprintf("subnet-%s-%d", v, r.IntN(2))), SourceDestCheck: r.IntN(2) == 0}
				for range 1 + r.IntN(2) {
					x.Addresses = append(x.Addresses, netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(40))}))
				}
				if r.IntN(3) == 0 {
					x.IPv6 = []netip.Addr{netip.AddrFrom16([16]byte{0x20, 1, 15: byte(r.IntN(40))})}
				}
				for range r.IntN(3) {
					if g := groupID(pick(groups)); !slices.Contains(x.Groups, g) {
						x.Groups = append(x.Groups, g)
					}
				}
				state.Interfaces.Put(tx, x)
			}
		}
		locals := func() (out []ruleset.Local) {
			for i := range state.Interfaces.All(w.view.In(scope)) {
				if i.ID < "eni-02" {
					out = append(out, ruleset.Local{Scope: scope, ID: i.ID})
				}
			}
			return out
		}
		c := ruleset.NewCompiler(options)
		last := &ruleset.Ruleset{}
		for step := range 150 {
			w.stage(func(tx *state.Txn) {
				for range 1 + r.IntN(3) {
					change(tx)
				}
			})
			if r.IntN(5) == 0 {
				continue // nobody looks at each view
			}
			got, want := c.Compile(w.view, locals()), ruleset.Compile(w.view, locals(), options)
			if a, b := plain(got), plain(want); !reflect.DeepEqual(a, b) {
				t.Fatalf("seed %d, step %d:\n got %+v\nwant %+v", seed, step, a, b)
			}
			d := ruleset.Diff(last, got)
			now := map[string]ruleset.Member{}
			for m := range last.Members.All() {
				now[fmt.Sprint(m.VPC, m.Addr)] = m
			}
			for _, m := range d.RemoveMembers {
				delete(now, fmt.Sprint(m.VPC, m.Addr))
			}
			for _, m := range d.PutMembers {
				now[fmt.Sprint(m.VPC, m.Addr)] = m
			}
			n := 0
			for m := range got.Members.All() {
				n++
				if !reflect.DeepEqual(now[fmt.Sprint(m.VPC, m.Addr)], m) {
					t.Fatalf("seed %d, step %d: by the difference %+v, want %+v", seed, step, now[fmt.Sprint(m.VPC, m.Addr)], m)
				}
				if g := got.GroupsOf(m.VPC, m.Addr); !slices.Equal(g, m.Groups) {
					t.Fatalf("seed %d, step %d: %v is found in %v, want %v", seed, step, m.Addr, g, m.Groups)
				}
			}
			if n != len(now) || n != got.Members.Len() {
				t.Fatalf("seed %d, step %d: %d members by the difference, want %d", seed, step, len(now), n)
			}
			last = got
		}
	}
}

// Of many members the runs of a list are split and go away.
func TestMembersInRuns(t *testing.T) {
	w := newWorld(t)
	w.add("group web: in tcp 80 from a")
	w.add("interface eni-0 10.0.0.1 in web")
	c := ruleset.NewCompiler(options)
	locals := []ruleset.Local{{Scope: scope, ID: "eni-0"}}
	c.Compile(w.view, locals)
	r := rand.New(rand.NewPCG(1, 1))
	order := r.Perm(3000)
	put := func(join bool, of []int) {
		for part := range slices.Chunk(of, 100) {
			w.stage(func(tx *state.Txn) {
				for _, i := range part {
					id := vpc.InterfaceID(fmt.Sprintf("eni-m%d", i))
					if !join {
						state.Interfaces.Delete(tx, id)
						continue
					}
					state.Interfaces.Put(tx, &vpc.Interface{ID: id, VPC: "vpc-1", Groups: []vpc.GroupID{"sg-a"}, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(1 + i>>8), byte(i)})}})
				}
			})
			got, want := c.Compile(w.view, locals), ruleset.Compile(w.view, locals, options)
			if !reflect.DeepEqual(plain(got), plain(want)) {
				t.Fatalf("joining %v: %d members, want %d", join, got.Members.Len(), want.Members.Len())
			}
		}
	}
	put(true, order)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	put(false, order)
}

// What a member costs that joins a group of 100,000, or leaves it, with the
// difference:
//
//	go test ./ruleset -run XXX -bench Member
func BenchmarkMember(b *testing.B) {
	w := newWorld(b)
	w.add("group web: in tcp 80 from a")
	w.add("interface eni-0 10.0.0.1 in web")
	member := func(i int) *vpc.Interface {
		return &vpc.Interface{ID: vpc.InterfaceID(fmt.Sprintf("eni-m%d", i)), VPC: "vpc-1", Groups: []vpc.GroupID{"sg-a"}, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1 + byte(i>>16), byte(i >> 8), byte(i)})}}
	}
	for i := 0; i < 100_000; i += 500 {
		w.stage(func(tx *state.Txn) {
			for j := range 500 {
				state.Interfaces.Put(tx, member(i+j))
			}
		})
	}
	locals := []ruleset.Local{{Scope: scope, ID: "eni-0"}}
	n := 0
	for _, row := range []struct {
		what    string
		compile func(*state.View) *ruleset.Ruleset
	}{
		{"by what changed", func() func(*state.View) *ruleset.Ruleset {
			c := ruleset.NewCompiler(options)
			return func(v *state.View) *ruleset.Ruleset { return c.Compile(v, locals) }
		}()},
		{"from nothing", func(v *state.View) *ruleset.Ruleset { return ruleset.Compile(v, locals, options) }},
	} {
		b.Run(row.what, func(b *testing.B) {
			last := row.compile(w.view)
			for b.Loop() {
				b.StopTimer()
				w.stage(func(tx *state.Txn) {
					if n++; n%2 == 1 {
						state.Interfaces.Put(tx, member(100_000))
					} else {
						state.Interfaces.Delete(tx, member(100_000).ID)
					}
				})
				b.StartTimer()
				now := row.compile(w.view)
				if d := ruleset.Diff(last, now); len(d.PutMembers)+len(d.RemoveMembers) != 1 {
					b.Fatalf("%+v", d)
				}
				last = now
			}
		})
	}
}
