package ec2

import (
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

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
