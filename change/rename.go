package change

import (
	"net/netip"
	"strings"

	"moat/action"
	"moat/ec2"
	"moat/fault"
	"moat/iam"
	"moat/state"
	"moat/vpc"
)

var anywhere4 = netip.MustParsePrefix("0.0.0.0/0")

// Actions are the calls that EC2 does not have.
var Actions = []action.Action{RenameSecurityGroup}

// RenameSecurityGroup changes the name of a group in place. EC2 has no such
// call; it is no action of the API, and is made by a wish alone.
var RenameSecurityGroup = action.Write[RenameSecurityGroupInput, RenameSecurityGroupOutput]{
	Name: "RenameSecurityGroup",
	Doc:  "Gives a security group another name. Its id, its rules and whatever uses it stay.",

	Plan: func(tx *state.Txn, in *RenameSecurityGroupInput) (*RenameSecurityGroupOutput, error) {
		name, err := vpc.ParseGroupName(in.GroupName)
		if err != nil {
			return nil, err
		}
		g := state.Groups.Get(tx, vpc.GroupID(in.GroupId))
		if g == nil {
			return nil, fault.InvalidGroupNotFound.With(in.GroupId)
		}
		if g.IsDefault() {
			return nil, fault.InvalidParameterValue.Say("The default group of a VPC cannot be renamed: its name is what makes it the default.")
		}
		if v := takenIn(tx, g, name); v != "" {
			return nil, fault.InvalidGroupDuplicate.With(name, v)
		}
		c := *g
		c.Name = name
		state.Groups.Put(tx, &c)
		Renamed(tx, g.ID)
		return &RenameSecurityGroupOutput{Return: true}, nil
	},
}

// takenIn gives a VPC in which another group than g has a name, its own or one
// that it is associated with; "" if none has.
func takenIn(r state.Reader, g *vpc.SecurityGroup, name string) vpc.VPCID {
	vpcs := []vpc.VPCID{g.VPC}
	for a := range state.GroupAssociations.By(r, state.GroupAssociationsByGroup, string(g.ID)) {
		vpcs = append(vpcs, a.VPC)
	}
	for _, v := range vpcs {
		if o := state.GroupByName(r, v, name); o != nil && o.ID != g.ID {
			return v
		}
		for a := range state.GroupAssociations.By(r, state.GroupAssociationsByVPC, string(v)) {
			if o := state.Groups.Get(r, a.Group); o != nil && o.ID != g.ID && strings.EqualFold(o.Name, name) {
				return v
			}
		}
	}
	return ""
}

// Renamed puts anew the interfaces that have a group whose name changes: what
// is kept rendered of a row has the names of its groups in it.
func Renamed(tx *state.Txn, id vpc.GroupID) {
	var all []*vpc.Interface
	for i := range state.Interfaces.By(tx, state.InterfacesByGroup, string(id)) {
		all = append(all, i)
	}
	for _, i := range all {
		c := *i
		state.Interfaces.Put(tx, &c)
	}
}

// Needs returns the permissions that a call of Actions needs. With EC2 alone a
// group gets another name only by another group in its place: to rename one
// takes the permissions to create that and to delete this, too.
func Needs(at ec2.Place, scope state.Scope, in any) []iam.Need {
	if in, ok := in.(*RenameSecurityGroupInput); ok {
		own := iam.Need{Action: "moat:RenameSecurityGroup", Resource: vpc.ARN(scope.Region, scope.Account, "security-group", in.GroupId)}
		other := &ec2.CreateSecurityGroupInput{GroupName: in.GroupName}
		if g := state.Groups.Get(at(scope), vpc.GroupID(in.GroupId)); g != nil {
			own.Tags, other.VpcId, other.Description = g.Tags, string(g.VPC), g.Description
			other.TagSpecifications = specs("security-group", g.Tags)
		}
		needs := []iam.Need{own}
		for _, c := range []Call{{"DeleteSecurityGroup", &ec2.DeleteSecurityGroupInput{GroupId: &in.GroupId}}, {"CreateSecurityGroup", other}} {
			list, ok := ec2.Needs(c.Action, at, scope, c.In)
			if !ok {
				return nil
			}
			needs = append(needs, list...)
		}
		return needs
	}
	if in, ok := in.(*UndoInput); ok && in != nil {
		return []iam.Need{{Action: "moat:Undo", Resource: "*", Rules: true}}
	}
	return nil
}

// UndoInput is what taking revisions back takes.
type UndoInput struct{ From, To uint64 }

// RenameSecurityGroupInput is what RenameSecurityGroup takes.
type RenameSecurityGroupInput struct {
	GroupId   string
	GroupName string
	DryRun    bool
}

// RenameSecurityGroupOutput is what RenameSecurityGroup gives.
type RenameSecurityGroupOutput struct {
	Return bool
}
