package ec2

import (
	"fmt"
	"net/netip"
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// elsewhere gives the reader of another scope, in the same view or transaction.
func elsewhere(r state.Reader, s state.Scope) state.Reader {
	switch r := r.(type) {
	case *state.Txn:
		return r.In(s)
	case *action.Call:
		c := *r
		c.Space = r.View.In(s)
		return &c
	}
	panic(fmt.Sprintf("ec2: %T reads one space", r))
}

// peeringOf gives the peering that a request names by a required parameter.
// One that has ended is forgotten after a while.
func peeringOf(r state.Reader, id string) (*vpc.Peering, error) {
	p, err := required(r, state.Peerings, "vpcPeeringConnectionId", id, checkPeeringID, fault.InvalidPeeringNotFound)
	if err != nil {
		return nil, err
	}
	if !p.SeenBy(scopeOf(r).Account, nowOf(r)) {
		return nil, fault.InvalidPeeringNotFound.With(id)
	}
	return p, nil
}

func sideScope(s *vpc.PeeringSide) state.Scope {
	return state.Scope{Region: s.Region, Account: s.Owner}
}

// putPeering stages a peering in the spaces of both sides; the tags of the
// other side's copy are its own.
func putPeering(tx *state.Txn, p *vpc.Peering) {
	state.Peerings.Put(tx, p)
	for _, side := range []*vpc.PeeringSide{&p.Requester, &p.Accepter} {
		if sideScope(side) == tx.Scope {
			continue
		}
		there := tx.In(sideScope(side))
		if state.VPCs.Get(there, side.VPC) == nil && state.Peerings.Get(there, p.ID) == nil {
			continue // there is no such VPC: nobody to tell
		}
		c := *p
		c.Tags = nil
		if old := state.Peerings.Get(there, p.ID); old != nil {
			c.Tags = old.Tags
		}
		state.Peerings.Put(there, &c)
	}
}

// endPeering stages the end of a peering, brought about by the caller.
func endPeering(tx *state.Txn, old *vpc.Peering, status string) *vpc.Peering {
	p := *old
	noteBlocks(tx, &p)
	p.Status, p.Ended, p.EndedBy = status, tx.Now, tx.Account
	putPeering(tx, &p)
	return &p
}

// noteBlocks keeps the blocks that the two VPCs have now.
func noteBlocks(r state.Reader, p *vpc.Peering) {
	p.Requester.Blocks, p.Accepter.Blocks = sideBlocks(r, &p.Requester), sideBlocks(r, &p.Accepter)
}

// sideBlocks gives the blocks of a side's VPC, or those it had.
func sideBlocks(r state.Reader, s *vpc.PeeringSide) []netip.Prefix {
	if v := state.VPCs.Get(elsewhere(r, sideScope(s)), s.VPC); v != nil {
		return v.CIDRs()
	}
	return s.Blocks
}

// activePeerings gives the active peerings of a VPC across which rules may
// refer to groups, each with its other side.
func activePeerings(r state.Reader, id vpc.VPCID) (out []*vpc.Peering, others []*vpc.PeeringSide) {
	for p := range state.Peerings.By(r, state.PeeringsByVPC, string(id)) {
		if other, ok := p.Other(id); ok && p.StatusAt(nowOf(r)) == vpc.PeeringActive && p.SameRegion() {
			out, others = append(out, p), append(others, other)
		}
	}
	return out, others
}

// peered gives the active peering between two VPCs, or nil.
func peered(r state.Reader, a, b vpc.VPCID) *vpc.Peering {
	ps, others := activePeerings(r, a)
	for i, o := range others {
		if o.VPC == b {
			return ps[i]
		}
	}
	return nil
}

// foreignGroup gives the group of another VPC that a rule refers to, or nil.
func foreignGroup(r state.Reader, id vpc.GroupID, f *vpc.Foreign) *vpc.SecurityGroup {
	at := scopeOf(r)
	if f.Owner != "" {
		at.Account = f.Owner
	}
	return state.Groups.Get(elsewhere(r, at), id)
}

// ruleTies tell through which peering a rule reaches a group, and how that is.
// The peering of the rule may be gone and another one connect the VPCs today.
func ruleTies(r state.Reader, in vpc.VPCID, f *vpc.Foreign) (id, status string) {
	if f.Peering == "" {
		return "", ""
	}
	if p := peered(r, in, f.VPC); p != nil {
		return string(p.ID), vpc.PeeringActive
	}
	if p := state.Peerings.Get(r, vpc.PeeringID(f.Peering)); p != nil {
		return f.Peering, p.StatusAt(nowOf(r))
	}
	return f.Peering, vpc.PeeringDeleted
}

// overPeering reports whether a rule of g refers to a group across a peering,
// so that how g is described depends on more than g.
func overPeering(g *vpc.SecurityGroup) bool {
	return slices.ContainsFunc(g.Rules, func(r vpc.Rule) bool { return r.Foreign != nil && r.Foreign.Peering != "" })
}

// peeringShape gives a peering as it is described.
func peeringShape(r state.Reader, p *vpc.Peering) *VpcPeeringConnection {
	now := nowOf(r)
	status := p.StatusAt(now)
	shape := &VpcPeeringConnection{
		VpcPeeringConnectionId: string(p.ID), Tags: tagShapes(p.Tags),
		Status:           &VpcPeeringConnectionStateReason{Code: status, Message: p.MessageAt(now)},
		RequesterVpcInfo: sideShape(r, &p.Requester, true, status),
		// Whose network it is that was asked is told when it has agreed.
		AccepterVpcInfo: sideShape(r, &p.Accepter, status == vpc.PeeringActive, status),
	}
	if status == vpc.PeeringPending || status == vpc.PeeringInitiating {
		shape.ExpirationTime = p.Expires()
	}
	return shape
}

func sideShape(r state.Reader, s *vpc.PeeringSide, blocks bool, status string) *VpcPeeringConnectionVpcInfo {
	shape := &VpcPeeringConnectionVpcInfo{OwnerId: string(s.Owner), VpcId: string(s.VPC), Region: s.Region}
	if status == vpc.PeeringActive {
		shape.PeeringOptions = &VpcPeeringConnectionOptionsDescription{AllowDnsResolutionFromRemoteVpc: s.RemoteDNS}
	}
	if !blocks {
		return shape
	}
	for _, b := range sideBlocks(r, s) {
		if b.Addr().Is6() {
			shape.Ipv6CidrBlockSet = append(shape.Ipv6CidrBlockSet, Ipv6CidrBlock{b.String()})
			continue
		}
		if shape.CidrBlock == "" {
			shape.CidrBlock = b.String()
		}
		shape.CidrBlockSet = append(shape.CidrBlockSet, CidrBlock{b.String()})
	}
	return shape
}

// checkPeeringQuota refuses one more peering that is or may become active.
func checkPeeringQuota(tx *state.Txn, id vpc.VPCID) error {
	n := 0
	for p := range state.Peerings.By(tx, state.PeeringsByVPC, string(id)) {
		if p.StatusAt(tx.Now) == vpc.PeeringActive {
			n++
		}
	}
	if n >= tx.Quotas.PeeringsPerVPC {
		return fault.PeeringLimitExceeded.With(id)
	}
	return nil
}
