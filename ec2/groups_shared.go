package ec2

import (
	"slices"

	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// groupsUsableIn gives the groups that a request names for an interface in a
// VPC, in the order of the request and each once. A group is usable in the VPC
// where it was created and in those it is associated with. How many an
// interface may have is for the caller to check.
func groupsUsableIn(r state.Reader, in vpc.VPCID, ids []string) ([]vpc.GroupID, error) {
	for _, id := range ids {
		if err := checkGroupID(id); err != nil {
			return nil, err
		}
	}
	var out []vpc.GroupID
	for _, id := range ids {
		g := state.Groups.Get(r, vpc.GroupID(id))
		if g == nil {
			return nil, fault.InvalidGroupNotFound.With(id)
		}
		if !usableIn(r, g, in) {
			return nil, fault.InvalidParameter.With("You have specified two resources that belong to different networks.")
		}
		if !slices.Contains(out, g.ID) {
			out = append(out, g.ID)
		}
	}
	return out, nil
}

// usableIn reports whether interfaces of a VPC may have a group: the VPC is
// the group's own, or the two are associated.
func usableIn(r state.Reader, g *vpc.SecurityGroup, in vpc.VPCID) bool {
	return g.VPC == in || associated(r, g.ID, in)
}

// associated reports whether a group is associated with a VPC.
func associated(r state.Reader, g vpc.GroupID, with vpc.VPCID) bool {
	a := state.GroupAssociations.Get(r, state.GroupAssociationKey(g, with))
	return a != nil && a.State == "associated"
}
