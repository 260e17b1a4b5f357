package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"moat/flow"
	"moat/ruleset"
	"moat/state"
	"moat/vpc"
)

// A Lost is an interface that may not open all services which AWS never
// filters, and which earlier versions of Moat therefore exempted by default.
type Lost struct {
	Interface vpc.InterfaceID `json:"interface"`
	Name      string          `json:"name,omitempty"` // its tag Name
	// Services says which: "dns (tcp/53 and udp/53 to 10.0.0.2, 169.254.169.253)".
	Services []string `json:"services"`
	// Commands add the rules that let the interface open them, with the AWS
	// command line.
	Commands []string `json:"commands"`
}

// LostServices lists the interfaces that no rule and no exemption lets open all
// services of --exempt aws, by the addresses of the families that they have.
func LostServices(v *state.View, locals []ruleset.Local, o ruleset.Options) []Lost {
	rs := ruleset.Compile(v, locals, o)
	var all []Lost
	for _, at := range locals {
		space := v.In(at.Scope)
		row := state.Interfaces.Get(space, at.ID)
		if row == nil {
			continue
		}
		lost := Lost{Interface: row.ID}
		for _, t := range row.Tags {
			if t.Key == "Name" {
				lost.Name = t.Value
			}
		}
		resolver := netip.Addr{}
		if of := state.VPCs.Get(space, row.VPC); of != nil {
			resolver = of.Resolver()
		}
		for _, e := range ruleset.AWSExemptions() {
			closed := slices.DeleteFunc(e.Rules(flow.Egress, resolver), func(r ruleset.Rule) bool {
				a := r.Remote.Prefix.Addr()
				return a.Is4() && len(row.Addresses) == 0 || a.Is6() && len(row.IPv6) == 0 ||
					rs.Judge(ruleset.Flow{Interface: row.ID, Direction: flow.Egress, Remote: a, Protocol: r.Protocol, Port: uint16(r.Ports.From)}).Allowed
			})
			if len(closed) == 0 {
				continue
			}
			lost.Services = append(lost.Services, fmt.Sprintf("%s (%s)", e.Service, trafficOf(closed)))
			group := (&asker{view: v, scope: at.Scope}).narrowest(space, row)
			for _, r := range closed {
				if group != nil {
					lost.Commands = append(lost.Commands, Command(group.ID, &vpc.Rule{
						Direction: flow.Egress, Protocol: r.Protocol, Ports: r.Ports, Peer: vpc.Peer{CIDR: r.Remote.Prefix},
					}))
				}
			}
		}
		if lost.Services != nil {
			all = append(all, lost)
		}
	}
	return all
}

// trafficOf puts rules in a few words, those of the same addresses together:
// "tcp/53 and udp/53 to 10.0.0.2, 169.254.169.253".
func trafficOf(rules []ruleset.Rule) string {
	to := map[string][]string{} // addresses by protocol and port
	var order []string
	for _, r := range rules {
		p := what(r.Protocol, r.Ports, 0, 0)
		if to[p] == nil {
			order = append(order, p)
		}
		to[p] = append(to[p], r.Remote.Prefix.Addr().String())
	}
	var out []string
	for i, p := range order {
		addresses := strings.Join(to[p], ", ")
		if i > 0 && addresses == strings.Join(to[order[i-1]], ", ") {
			continue
		}
		for _, q := range order[i+1:] {
			if strings.Join(to[q], ", ") == addresses {
				p += " and " + q
			}
		}
		out = append(out, p+" to "+addresses)
	}
	return strings.Join(out, "; ")
}
