package ec2

import (
	"net/netip"
	"slices"

	"moat/action"
	"moat/fault"
	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// AssociateVpcCidrBlock gives a VPC one more address block.
var AssociateVpcCidrBlock = action.Write[AssociateVpcCidrBlockInput, AssociateVpcCidrBlockOutput]{
	Name: "AssociateVpcCidrBlock",
	Doc:  `Associates an IPv4 block or a new IPv6 block with a VPC.`,
	Plan: func(tx *state.Txn, in *AssociateVpcCidrBlockInput) (*AssociateVpcCidrBlockOutput, error) {
		ipv6 := in.AmazonProvidedIpv6CidrBlock != nil && *in.AmazonProvidedIpv6CidrBlock
		if in.VpcId == "" {
			return nil, fault.MissingParameter.With("vpcId")
		}
		if err := checkVPCID(in.VpcId); err != nil {
			return nil, err
		}
		if err := noPools(in.Ipv4IpamPoolId, in.Ipv4NetmaskLength, in.Ipv6IpamPoolId, in.Ipv6NetmaskLength); err != nil {
			return nil, err
		}
		if err := noIPv6Pool(ipv6, in.Ipv6Pool, in.Ipv6CidrBlock); err != nil {
			return nil, err
		}
		switch {
		case in.CidrBlock == "" && !ipv6:
			return nil, fault.MissingParameter.With("cidrBlock or amazonProvidedIpv6CidrBlock")
		case in.CidrBlock != "" && ipv6:
			return nil, fault.InvalidParameterCombination.With("cidrBlock", "amazonProvidedIpv6CidrBlock")
		}
		border, err := borderGroup(tx, ipv6, in.Ipv6CidrBlockNetworkBorderGroup)
		if err != nil {
			return nil, err
		}
		old, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		v := *old
		v.Blocks = slices.Clone(v.Blocks)
		out := &AssociateVpcCidrBlockOutput{VpcId: in.VpcId}
		var b vpc.Block
		if ipv6 {
			if blocksOf(&v, true) >= tx.Quotas.IPv6CIDRsPerVPC {
				return nil, fault.CidrLimitExceeded.With(in.VpcId, tx.Quotas.IPv6CIDRsPerVPC)
			}
			b = newIPv6Block(tx, border)
			out.Ipv6CidrBlockAssociation = vpcIPv6Shape(b, "associating")
		} else {
			cidr, err := v.SecondaryBlock(in.CidrBlock)
			if err != nil {
				return nil, err
			}
			if blocksOf(&v, false) >= tx.Quotas.CIDRsPerVPC {
				return nil, fault.CidrLimitExceeded.With(in.VpcId, tx.Quotas.CIDRsPerVPC)
			}
			_, others := activePeerings(tx, v.ID)
			for _, o := range others {
				if vpc.Overlaps([]netip.Prefix{cidr}, sideBlocks(tx, o)) {
					return nil, fault.InvalidVpcRange.Say("The CIDR '%s' conflicts with a CIDR of the peered VPC %s", in.CidrBlock, o.VPC)
				}
			}
			b = vpc.Block{Association: vpc.AssociationID(tx.NewID(vpc.VPCAssociationPrefix)), CIDR: cidr}
			out.CidrBlockAssociation = vpcIPv4Shape(b, "associating")
		}
		v.Blocks = append(v.Blocks, b)
		state.VPCs.Put(tx, &v)
		if ipv6 {
			openEgressIPv6(tx, &v)
			if a := state.DefaultACL(tx, v.ID); a != nil && blocksOf(old, true) == 0 {
				putACLEntries(tx, a, vpc.OpenACLForIPv6(a.Entries))
			}
		}
		return out, nil
	},
}

// blocksOf counts a VPC's blocks of one family.
func blocksOf(v *vpc.VPC, ipv6 bool) (n int) {
	for _, b := range v.Blocks {
		if b.CIDR.Addr().Is6() == ipv6 {
			n++
		}
	}
	return n
}

// newIPv6Block gives an IPv6 block that no other VPC of the space has.
func newIPv6Block(tx *state.Txn, border string) vpc.Block {
	n := tx.Random()
	cidr := vpc.IPv6Block(n)
	for blockTaken(tx, cidr) {
		n++
		cidr = vpc.IPv6Block(n)
	}
	return vpc.Block{
		Association: vpc.AssociationID(tx.NewID(vpc.VPCAssociationPrefix)), CIDR: cidr,
		Pool: vpc.AmazonIPv6Pool, BorderGroup: border,
	}
}

func blockTaken(tx *state.Txn, cidr netip.Prefix) bool {
	return state.VPCs.Count(tx, state.VPCsByBlock, cidr.String(), 1) > 0
}

// openEgressIPv6 lets the default group of a VPC that has just got IPv6 send
// everything there too, unless somebody chose what it may send. Other groups
// stay as they are: VPC user guide, "Default security groups".
func openEgressIPv6(tx *state.Txn, v *vpc.VPC) {
	old := state.DefaultGroup(tx, v.ID)
	if old == nil || old.EgressTouched {
		return
	}
	open := vpc.Peer{CIDR: everyIPv6}
	for i := range old.Rules {
		if r := &old.Rules[i]; r.Direction == flow.Egress && r.Protocol == flow.AllProtocols && r.Peer == open {
			return
		}
	}
	g := *old
	g.Rules = slices.Clone(g.Rules)
	addRule(tx, &g, vpc.Rule{Direction: flow.Egress, Protocol: flow.AllProtocols, Ports: flow.NoPorts, Peer: open})
	state.Groups.Put(tx, &g)
}

// noPools refuses the address pools that a request names: an account that has
// no IP address manager has none.
func noPools(ipv4Pool string, ipv4Length *int32, ipv6Pool string, ipv6Length *int32) error {
	switch {
	case ipv4Length != nil && ipv4Pool == "":
		return fault.InvalidParameterDependency.With("ipv4NetmaskLength", "ipv4IpamPoolId")
	case ipv6Length != nil && ipv6Pool == "":
		return fault.InvalidParameterDependency.With("ipv6NetmaskLength", "ipv6IpamPoolId")
	case ipv4Pool != "":
		return fault.InvalidIpamPoolNotFound.With(ipv4Pool)
	case ipv6Pool != "":
		return fault.InvalidIpamPoolNotFound.With(ipv6Pool)
	}
	return nil
}

// noIPv6Pool refuses an IPv6 block of the caller's own: an account that has
// brought no addresses has no pool that it could come from.
func noIPv6Pool(amazon bool, pool, cidr string) error {
	switch {
	case cidr != "" && pool == "":
		return fault.InvalidParameterDependency.With("ipv6CidrBlock", "ipv6Pool")
	case pool != "" && amazon:
		return fault.InvalidParameterCombination.With("ipv6Pool", "amazonProvidedIpv6CidrBlock")
	case pool != "":
		return fault.InvalidPoolNotFound.With(pool)
	}
	return nil
}

// borderGroup gives the group of zones that announces an IPv6 block. A region
// without local zones has one, of its own name.
func borderGroup(tx *state.Txn, amazon bool, name string) (string, error) {
	switch {
	case name == "":
		return tx.Region, nil
	case !amazon:
		return "", fault.InvalidParameterDependency.With("ipv6CidrBlockNetworkBorderGroup", "amazonProvidedIpv6CidrBlock")
	case name != tx.Region:
		return "", fault.InvalidParameterValue.With(name, "ipv6CidrBlockNetworkBorderGroup", "The network border group does not exist.")
	}
	return name, nil
}

// AssociateVpcCidrBlockInput is what AssociateVpcCidrBlock takes.
type AssociateVpcCidrBlockInput struct {
	CidrBlock                       string
	Ipv6CidrBlockNetworkBorderGroup string
	Ipv6Pool                        string
	Ipv6CidrBlock                   string
	Ipv4IpamPoolId                  string
	Ipv4NetmaskLength               *int32
	Ipv6IpamPoolId                  string
	Ipv6NetmaskLength               *int32
	VpcId                           string // required
	AmazonProvidedIpv6CidrBlock     *bool
}

// AssociateVpcCidrBlockOutput is what AssociateVpcCidrBlock gives.
type AssociateVpcCidrBlockOutput struct {
	Ipv6CidrBlockAssociation *VpcIpv6CidrBlockAssociation
	CidrBlockAssociation     *VpcCidrBlockAssociation
	VpcId                    string
}
