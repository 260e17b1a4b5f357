package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ModifyVpcPeeringConnectionOptions changes what a side of a peering allows.
var ModifyVpcPeeringConnectionOptions = action.Write[ModifyVpcPeeringConnectionOptionsInput, ModifyVpcPeeringConnectionOptionsOutput]{
	Name: "ModifyVpcPeeringConnectionOptions",
	Doc:  `Changes the options of an active peering, each side its own. Moat resolves no names: the option for DNS is kept and described.`,
	Plan: func(tx *state.Txn, in *ModifyVpcPeeringConnectionOptionsInput) (*ModifyVpcPeeringConnectionOptionsOutput, error) {
		if in.VpcPeeringConnectionId == "" {
			return nil, fault.MissingParameter.With("vpcPeeringConnectionId")
		}
		if in.AccepterPeeringConnectionOptions == nil && in.RequesterPeeringConnectionOptions == nil {
			return nil, fault.MissingParameter.With("accepterPeeringConnectionOptions or requesterPeeringConnectionOptions")
		}
		old, err := peeringOf(tx, in.VpcPeeringConnectionId)
		if err != nil {
			return nil, err
		}
		p := *old
		out := &ModifyVpcPeeringConnectionOptionsOutput{}
		for _, side := range []struct {
			of    *vpc.PeeringSide
			asked *PeeringConnectionOptionsRequest
			told  **PeeringConnectionOptions
		}{
			{&p.Accepter, in.AccepterPeeringConnectionOptions, &out.AccepterPeeringConnectionOptions},
			{&p.Requester, in.RequesterPeeringConnectionOptions, &out.RequesterPeeringConnectionOptions},
		} {
			if side.asked == nil {
				continue
			}
			if sideScope(side.of) != tx.Scope {
				return nil, fault.OperationNotPermitted.Say("User %s cannot modify the peering options of %s in %s", tx.Account, side.of.VPC, p.ID)
			}
			if isTrue(side.asked.AllowEgressFromLocalClassicLinkToRemoteVpc) || isTrue(side.asked.AllowEgressFromLocalVpcToRemoteClassicLink) {
				return nil, noClassicLink()
			}
			if side.asked.AllowDnsResolutionFromRemoteVpc != nil {
				side.of.RemoteDNS = *side.asked.AllowDnsResolutionFromRemoteVpc
			}
			*side.told = &PeeringConnectionOptions{AllowDnsResolutionFromRemoteVpc: side.of.RemoteDNS}
		}
		if p.StatusAt(tx.Now) != vpc.PeeringActive {
			return nil, fault.InvalidPeeringOptionsNotActive.With(p.ID)
		}
		putPeering(tx, &p)
		return out, nil
	},
}

func isTrue(b *bool) bool { return b != nil && *b }

// noClassicLink is what every region says that EC2-Classic never reached, or
// has left.
func noClassicLink() error {
	return fault.UnsupportedOperation.With("The functionality you requested is not available in this region.")
}

// ModifyVpcPeeringConnectionOptionsInput is what ModifyVpcPeeringConnectionOptions takes.
type ModifyVpcPeeringConnectionOptionsInput struct {
	AccepterPeeringConnectionOptions  *PeeringConnectionOptionsRequest
	DryRun                            bool
	RequesterPeeringConnectionOptions *PeeringConnectionOptionsRequest
	VpcPeeringConnectionId            string // required
}

// ModifyVpcPeeringConnectionOptionsOutput is what ModifyVpcPeeringConnectionOptions gives.
type ModifyVpcPeeringConnectionOptionsOutput struct {
	AccepterPeeringConnectionOptions  *PeeringConnectionOptions
	RequesterPeeringConnectionOptions *PeeringConnectionOptions
}
