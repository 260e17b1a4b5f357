package ec2

import (
	"slices"
	"strings"

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

// groupOf gives the group that a request names by id, or by a name that means
// the group of the default VPC.
func groupOf(r state.Reader, id *string, name string) (*vpc.SecurityGroup, error) {
	if id == nil {
		if name == "" {
			return nil, fault.MissingParameter.With("groupName or groupId")
		}
		return groupNamed(r, name)
	}
	g, err := groupByID(r, *id)
	if err != nil {
		return nil, err
	}
	if name != "" && !strings.EqualFold(name, g.Name) {
		return nil, fault.InvalidParameterCombination.With("groupName", "groupId")
	}
	return g, nil
}

// groupRequired gives the group that a request has to name by id.
func groupRequired(r state.Reader, id *string) (*vpc.SecurityGroup, error) {
	if id == nil {
		return nil, fault.MissingParameter.With("groupId")
	}
	return groupByID(r, *id)
}

// groupNamed gives the group of the default VPC with a name.
func groupNamed(r state.Reader, name string) (*vpc.SecurityGroup, error) {
	v := state.DefaultVPC(r)
	if v == nil {
		return nil, fault.VPCIdNotSpecifiedForName.With()
	}
	g := state.GroupByName(r, v.ID, name)
	if g == nil {
		return nil, fault.InvalidGroupNameNotFound.With(name, v.ID)
	}
	return g, nil
}

// groupsByID gives the groups with the ids that a request lists; all that do
// not exist are named in one refusal.
func groupsByID(r state.Reader, ids []string) ([]*vpc.SecurityGroup, error) {
	for _, id := range ids {
		if err := checkGroupID(id); err != nil {
			return nil, err
		}
	}
	out := make([]*vpc.SecurityGroup, 0, len(ids))
	var missing []string
	for _, id := range ids {
		g := state.Groups.Get(r, vpc.GroupID(id))
		switch {
		case g != nil:
			out = append(out, g)
		case !slices.Contains(missing, id):
			missing = append(missing, id)
		}
	}
	switch len(missing) {
	case 0:
		return out, nil
	case 1:
		return nil, fault.InvalidGroupNotFound.With(missing[0])
	}
	return nil, fault.InvalidGroupsNotFound.With(strings.Join(missing, ", "))
}

// groupNameExists reports whether a group of any VPC has a name.
func groupNameExists(r state.Reader, name string) bool {
	return state.Groups.Count(r, state.GroupsByName, strings.ToLower(name), 1) > 0
}

// nameTaken reports whether a group that is usable in a VPC has a name.
func nameTaken(r state.Reader, in vpc.VPCID, name string) bool {
	if state.GroupByName(r, in, name) != nil {
		return true
	}
	for a := range state.GroupAssociations.By(r, state.GroupAssociationsByVPC, string(in)) {
		if g := state.Groups.Get(r, a.Group); g != nil && strings.EqualFold(g.Name, name) {
			return true
		}
	}
	return false
}

// inDefaultVPC reports whether a group is one of the default VPC's.
func inDefaultVPC(r state.Reader, g *vpc.SecurityGroup) bool {
	v := state.VPCs.Get(r, g.VPC)
	return v != nil && v.Default
}
