package fault

// What stands around the subnets of a VPC. Texts: the EC2 API reference's error
// list and recorded answers of the service; where neither has one, after the
// texts of like resources.
var (
	// Internet gateways.
	InvalidInternetGatewayNotFound  = Kind{"InvalidInternetGatewayID.NotFound", 400, "The internetGateway ID '%s' does not exist"}
	InvalidInternetGatewayMalformed = Kind{"InvalidInternetGatewayId.Malformed", 400, "Invalid id: \"%s\" (expecting \"igw-...\")"}
	InternetGatewayLimitExceeded    = Kind{"InternetGatewayLimitExceeded", 400, "The maximum number of internet gateways has been reached."}
	GatewayNotAttached              = Kind{"Gateway.NotAttached", 400, "resource %s is not attached to network %s"}
	ResourceAlreadyAttached         = Kind{"Resource.AlreadyAssociated", 400, "resource %s is already attached to network %s"}

	// Route tables and routes.
	InvalidRouteTableNotFound  = Kind{"InvalidRouteTableID.NotFound", 400, "The routeTable ID '%s' does not exist"}
	InvalidRouteTableMalformed = Kind{"InvalidRouteTableId.Malformed", 400, "Invalid id: \"%s\" (expecting \"rtb-...\")"}
	RouteTableLimitExceeded    = Kind{"RouteTableLimitExceeded", 400, "The maximum number of route tables has been reached."}
	RouteLimitExceeded         = Kind{"RouteLimitExceeded", 400, "The maximum number of routes has been reached."}
	RouteAlreadyExists         = Kind{"RouteAlreadyExists", 400, "The route identified by %s already exists."}
	InvalidRouteNotFound       = Kind{"InvalidRoute.NotFound", 400, "no route with %s %s in route table %s"}
	InvalidGatewayNotFound     = Kind{"InvalidGatewayID.NotFound", 400, "The gateway ID '%s' does not exist"}
	InvalidAssociationNotFound = Kind{"InvalidAssociationID.NotFound", 400, "The association ID '%s' does not exist"}
	AssociationConflicts       = Kind{"Resource.AlreadyAssociated", 400, "the specified association for route table %s conflicts with an existing association"}
	NatGatewayNotFound         = Kind{"NatGatewayNotFound", 400, "The Nat Gateway %s does not exist"}
	InvalidTransitGateway      = Kind{"InvalidTransitGatewayID.NotFound", 400, "Transit Gateway %s was deleted or does not exist."}
	InvalidLocalGateway        = Kind{"InvalidLocalGatewayID.NotFound", 400, "The localGateway ID '%s' does not exist"}
	InvalidCarrierGateway      = Kind{"InvalidCarrierGatewayID.NotFound", 400, "The carrierGateway ID '%s' does not exist"}
	InvalidInstanceWithMany    = Kind{"InvalidInstanceID", 400, "There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead."}
	NoSuchInstance             = Kind{"InvalidInstanceID.NotFound", 400, "The instance ID '%s' does not exist"}

	// Network ACLs.
	InvalidNetworkACLNotFound      = Kind{"InvalidNetworkAclID.NotFound", 400, "The networkAcl ID '%s' does not exist"}
	InvalidNetworkACLMalformed     = Kind{"InvalidNetworkAclId.Malformed", 400, "Invalid id: \"%s\" (expecting \"acl-...\")"}
	NetworkACLLimitExceeded        = Kind{"NetworkAclLimitExceeded", 400, "The maximum number of network ACLs has been reached."}
	NetworkACLEntryLimitExceeded   = Kind{"NetworkAclEntryLimitExceeded", 400, "The maximum number of network acl entries has been reached."}
	NetworkACLEntryAlreadyExists   = Kind{"NetworkAclEntryAlreadyExists", 400, "The network acl entry identified by %d already exists."}
	InvalidNetworkACLEntryNotFound = Kind{"InvalidNetworkAclEntry.NotFound", 400, "The network acl entry identified by %d does not exist"}

	// DHCP options.
	InvalidDHCPOptionsNotFound  = Kind{"InvalidDhcpOptionID.NotFound", 400, "The dhcpOption ID '%s' does not exist"}
	InvalidDHCPOptionsMalformed = Kind{"InvalidDhcpOptionsId.Malformed", 400, "Invalid id: \"%s\" (expecting \"dopt-...\")"}

	// Endpoints.
	InvalidVpcEndpointNotFound  = Kind{"InvalidVpcEndpointId.NotFound", 400, "The Vpc Endpoint Id '%s' does not exist"}
	InvalidVpcEndpointMalformed = Kind{"InvalidVpcEndpointId.Malformed", 400, "Invalid id: \"%s\" (expecting \"vpce-...\")"}
	InvalidServiceName          = Kind{"InvalidServiceName", 400, "The Vpc Endpoint Service '%s' does not exist"}
	VpcEndpointLimitExceeded    = Kind{"VpcEndpointLimitExceeded", 400, "The maximum number of VPC endpoints has been reached."}
	InvalidPolicyDocument       = Kind{"InvalidPolicyDocument", 400, "%s"}

	// Peering.
	InvalidPeeringNotFound         = Kind{"InvalidVpcPeeringConnectionID.NotFound", 400, "The vpcPeeringConnection ID '%s' does not exist"}
	InvalidPeeringMalformed        = Kind{"InvalidVpcPeeringConnectionId.Malformed", 400, "Invalid id: \"%s\" (expecting \"pcx-...\")"}
	InvalidStateTransition         = Kind{"InvalidStateTransition", 400, "Invalid state transition for %s, attempted to transition from %s to %s"}
	VpcPeeringConnectionExists     = Kind{"VpcPeeringConnectionAlreadyExists", 400, "A VPC peering connection already exists between %s and %s: %s"}
	PeeringLimitExceeded           = Kind{"VpcPeeringConnectionsPerVpcLimitExceeded", 400, "The maximum number of VPC peering connections for VPC '%s' has been reached."}
	OutstandingPeeringLimit        = Kind{"OutstandingVpcPeeringConnectionLimitExceeded", 400, "The maximum number of outstanding VPC peering connection requests has been reached."}
	InvalidPeeringOptionsNotActive = Kind{"OperationNotPermitted", 400, "Peering %s is not active. Peering options can be added only to active peerings."}
)
