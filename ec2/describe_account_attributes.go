package ec2

import (
	"slices"
	"strconv"

	"moat/action"
	"moat/fault"
	"moat/state"
)

// DescribeAccountAttributes shows what the account may use in the region.
var DescribeAccountAttributes = action.Read[DescribeAccountAttributesInput, DescribeAccountAttributesOutput]{
	Name: "DescribeAccountAttributes",
	Doc:  `Shows attributes of the account in the region, such as its default VPC.`,
	Read: func(c *action.Call, in *DescribeAccountAttributesInput) (*DescribeAccountAttributesOutput, error) {
		defaultVPC := "none"
		if v := state.DefaultVPC(c); v != nil {
			defaultVPC = string(v.ID)
		}
		all := []AccountAttribute{
			accountAttribute("supported-platforms", "VPC"),
			accountAttribute("default-vpc", defaultVPC),
			// Moat counts neither instances nor elastic addresses; these are the
			// values of a new account.
			accountAttribute("max-instances", "20"),
			accountAttribute("vpc-max-security-groups-per-interface", strconv.Itoa(c.Quotas.GroupsPerInterface)),
			accountAttribute("max-elastic-ips", "5"),
			accountAttribute("vpc-max-elastic-ips", "5"),
		}
		if len(in.AttributeNames) == 0 {
			return &DescribeAccountAttributesOutput{AccountAttributes: all}, nil
		}
		for _, name := range in.AttributeNames {
			if !slices.ContainsFunc(all, func(a AccountAttribute) bool { return a.AttributeName == name }) {
				return nil, fault.InvalidParameterValue.With(name, "attributeName", "Unknown account attribute.")
			}
		}
		return &DescribeAccountAttributesOutput{AccountAttributes: slices.DeleteFunc(all, func(a AccountAttribute) bool {
			return !slices.Contains(in.AttributeNames, a.AttributeName)
		})}, nil
	},
}

func accountAttribute(name, value string) AccountAttribute {
	return AccountAttribute{AttributeName: name, AttributeValues: []AccountAttributeValue{{value}}}
}

// DescribeAccountAttributesInput is what DescribeAccountAttributes takes.
type DescribeAccountAttributesInput struct {
	DryRun         bool
	AttributeNames []string `in:"AttributeName"`
}

// DescribeAccountAttributesOutput is what DescribeAccountAttributes gives.
type DescribeAccountAttributesOutput struct {
	AccountAttributes []AccountAttribute `out:"accountAttributeSet"`
}
