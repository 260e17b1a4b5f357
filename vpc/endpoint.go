package vpc

import (
	"encoding/json"
	"slices"

	"moat/fault"
)

// gatewayServices are the services that a VPC can have a gateway endpoint for:
// AWS PrivateLink guide, "Gateway endpoints".
var gatewayServices = []string{"dynamodb", "s3"}

// EndpointServices gives the names of the services with gateway endpoints in a
// region, in order.
func EndpointServices(region string) []string {
	out := make([]string, len(gatewayServices))
	for i, s := range gatewayServices {
		out[i] = "com.amazonaws." + region + "." + s
	}
	return out
}

// EndpointPrefixLists gives the ids of the prefix lists to which an endpoint
// for a service adds routes.
func EndpointPrefixLists(region, service string) []PrefixListID {
	if !slices.Contains(EndpointServices(region), service) {
		return nil
	}
	var out []PrefixListID
	for i := range awsPrefixLists {
		if a := &awsPrefixLists[i]; a.name(region) == service {
			out = append(out, a.id(region))
		}
	}
	return out
}

// OpenEndpointPolicy is the policy of an endpoint for which none is given.
const OpenEndpointPolicy = `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`

// maxEndpointPolicy is the length that a policy may have: AWS PrivateLink
// guide, "Quotas".
const maxEndpointPolicy = 20480

// CheckEndpointPolicy refuses a policy that is too long or no document.
func CheckEndpointPolicy(s string) error {
	var doc struct{ Statement any }
	if err := json.Unmarshal([]byte(s), &doc); err != nil || doc.Statement == nil {
		return fault.InvalidPolicyDocument.Say("The policy document is not valid: want a JSON object with a Statement.")
	}
	if len(s) > maxEndpointPolicy {
		return fault.InvalidPolicyDocument.Say("The policy document has more than %d characters.", maxEndpointPolicy)
	}
	return nil
}
