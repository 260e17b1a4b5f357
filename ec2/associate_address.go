package ec2

import (
	"net/netip"
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// AssociateAddress gives an elastic address to a private one.
var AssociateAddress = action.Write[AssociateAddressInput, AssociateAddressOutput]{
	Name: "AssociateAddress",
	Doc:  "Associates an elastic address with a private address of an interface, or of an instance's only one. Translating between the two is yours to do.",

	Plan: func(tx *state.Txn, in *AssociateAddressInput) (*AssociateAddressOutput, error) {
		a, err := addressOf(tx, in.AllocationId, in.PublicIp)
		if err != nil {
			return nil, err
		}
		eni, err := in.target(tx)
		if err != nil {
			return nil, err
		}
		private := netip.Addr{}
		switch {
		case len(eni.Addresses) == 0:
			return nil, fault.InvalidParameterValue.Say("Network interface '%s' does not have a private IPv4 address.", eni.ID)
		case in.PrivateIpAddress == "":
			private = eni.Addresses[0]
		default:
			if private, err = vpc.ParseIPv4(in.PrivateIpAddress); err != nil {
				return nil, err
			}
			if !slices.Contains(eni.Addresses, private) {
				return nil, fault.InvalidParameterValue.Say("Value (%s) for parameter privateIpAddress is invalid. It is not assigned to network interface %s.", private, eni.ID)
			}
		}
		if err := hasInternet(tx, eni.VPC); err != nil {
			return nil, err
		}
		may := in.AllowReassociation == nil || *in.AllowReassociation // the default in a VPC: API reference, AssociateAddress
		if old, p := interfaceWith(tx, string(a.ID)); old != nil {
			if old.ID == eni.ID && p.Private == private {
				return &AssociateAddressOutput{AssociationId: p.Association}, nil
			}
			if in.AllowReassociation == nil || !*in.AllowReassociation {
				return nil, fault.ResourceAlreadyAssociated.With("resource " + string(a.ID) + " is already associated with associate-id " + p.Association)
			}
			if err := disassociate(tx, old, p); err != nil {
				return nil, err
			}
			eni = state.Interfaces.Get(tx, eni.ID)
		}
		if p, has := eni.PublicFor(private); has && !p.Launched() && !may {
			return nil, fault.ResourceAlreadyAssociated.With("resource " + string(eni.ID) + " is already associated with associate-id " + p.Association)
		}
		c := *eni
		c.Public = append(eni.WithoutPublic(func(p vpc.PublicAddress) bool { return p.Private == private }), vpc.PublicAddress{
			Private: private, Address: a.Address, Allocation: a.ID, Association: tx.NewID(vpc.AddressAssociationPrefix),
		})
		state.Interfaces.Put(tx, &c)
		return &AssociateAddressOutput{AssociationId: c.Public[len(c.Public)-1].Association}, nil
	},
}

// target gives the interface that the request means.
func (in *AssociateAddressInput) target(tx *state.Txn) (*vpc.Interface, error) {
	switch {
	case in.NetworkInterfaceId != "" && in.InstanceId != "":
		return nil, fault.InvalidParameterCombination.Say("You may specify a network interface or an instance, but not both in the same call")
	case in.NetworkInterfaceId != "":
		return interfaceOf(tx, in.NetworkInterfaceId)
	case in.InstanceId == "":
		return nil, fault.MissingParameter.With("InstanceId or NetworkInterfaceId")
	}
	i, err := instanceOf(tx, in.InstanceId)
	if err != nil {
		return nil, err
	}
	all := interfacesOn(tx, i.ID)
	switch len(all) {
	case 0:
		return nil, fault.IncorrectInstanceState.With("The instance '" + in.InstanceId + "' is not in a valid state for this operation.")
	case 1:
		return all[0], nil
	}
	return nil, fault.InvalidInstanceIDAmbiguous.With(i.ID)
}

// hasInternet refuses a VPC without an internet gateway.
func hasInternet(r state.Reader, v vpc.VPCID) error {
	if state.InternetGateways.Count(r, state.InternetGatewaysByVPC, string(v), 1) == 0 {
		return fault.GatewayNotAttached.Say("Network %s is not attached to any internet gateway", v)
	}
	return nil
}

// AssociateAddressInput is what AssociateAddress takes.
type AssociateAddressInput struct {
	AllocationId       string
	InstanceId         string
	PublicIp           string
	DryRun             bool
	NetworkInterfaceId string
	PrivateIpAddress   string
	AllowReassociation *bool
}

// AssociateAddressOutput is what AssociateAddress gives.
type AssociateAddressOutput struct {
	AssociationId string
}
