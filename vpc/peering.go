package vpc

import (
	"net/netip"
	"time"
)

// The states of a peering: VPC peering guide, "VPC peering connection
// lifecycle". The ones in between (initiating-request, provisioning, deleting)
// pass before anybody can look.
const (
	PeeringInitiating = "initiating-request"
	PeeringPending    = "pending-acceptance"
	PeeringActive     = "active"
	PeeringDeleted    = "deleted"
	PeeringRejected   = "rejected"
	PeeringFailed     = "failed"
	PeeringExpired    = "expired"
)

// A request of a peering waits for a week: VPC peering guide, the same page.
const PeeringPatience = 7 * 24 * time.Hour

// Expires gives when a request that nobody answers expires.
func (p *Peering) Expires() time.Time { return p.Created.Add(PeeringPatience) }

// StatusAt gives the status at a moment.
func (p *Peering) StatusAt(now time.Time) string {
	if p.Status == PeeringPending && !now.Before(p.Expires()) {
		return PeeringExpired
	}
	return p.Status
}

// MessageAt gives the text that explains the status at a moment.
func (p *Peering) MessageAt(now time.Time) string {
	switch p.StatusAt(now) {
	case PeeringInitiating:
		return "Initiating Request to " + string(p.Accepter.Owner)
	case PeeringPending:
		return "Pending Acceptance by " + string(p.Accepter.Owner)
	case PeeringActive:
		return "Active"
	case PeeringDeleted:
		return "Deleted by " + string(p.EndedBy)
	case PeeringRejected:
		return "Rejected by " + string(p.EndedBy)
	case PeeringFailed:
		return "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"
	case PeeringExpired:
		return "Expired"
	}
	return p.Message
}

// Usable reports whether the peering is or may yet become active.
func (p *Peering) Usable(now time.Time) bool {
	s := p.StatusAt(now)
	return s == PeeringActive || s == PeeringPending
}

// How long what has ended can still be seen: VPC peering guide, the same page.
const peeringSeenShort, peeringSeenLong = 2 * time.Hour, 48 * time.Hour

// SeenBy reports whether an account is still shown the peering at a moment.
// What was deleted or rejected is shown to the side that did so for two hours,
// as it is to an account that has both sides, and to the other side for two
// days; what failed, to the requester for two hours; what expired, to both for
// two days.
func (p *Peering) SeenBy(account AccountID, now time.Time) bool {
	since := now.Sub(p.Ended)
	switch p.StatusAt(now) {
	case PeeringExpired:
		return now.Sub(p.Expires()) < peeringSeenLong
	case PeeringFailed:
		return account == p.Requester.Owner && since < peeringSeenShort
	case PeeringDeleted, PeeringRejected:
		if p.EndedBy == account || p.Requester.Owner == p.Accepter.Owner {
			return since < peeringSeenShort
		}
		return since < peeringSeenLong
	}
	return true
}

// Other gives the side of the peering that is across from a VPC; ok is false
// for a VPC that is neither.
func (p *Peering) Other(id VPCID) (side *PeeringSide, ok bool) {
	switch id {
	case p.Requester.VPC:
		return &p.Accepter, true
	case p.Accepter.VPC:
		return &p.Requester, true
	}
	return nil, false
}

// SameRegion reports whether both VPCs are in one region. Rules can refer to
// groups across such a peering only: VPC peering guide, "Update your security
// groups to reference peer security groups".
func (p *Peering) SameRegion() bool { return p.Requester.Region == p.Accepter.Region }

// Overlaps reports whether two VPCs cannot be connected, since an address
// could be in either.
func Overlaps(a, b []netip.Prefix) bool {
	for _, p := range a {
		if overlapsAny(p, b) {
			return true
		}
	}
	return false
}

// CIDRs gives the ranges of the VPC's blocks.
func (v *VPC) CIDRs() []netip.Prefix {
	out := make([]netip.Prefix, len(v.Blocks))
	for i, b := range v.Blocks {
		out[i] = b.CIDR
	}
	return out
}
