package fault

// The table. Texts and statuses: the EC2 API reference's error list and
// recorded answers of the service.
var (
	// Every service.
	InternalError = Kind{"InternalError", 500, "An internal error has occurred"}
	Unavailable   = Kind{"Unavailable", 503, "The server is overloaded and can't handle the request."}

	// Callers that ask too often, of EC2, of IAM and STS, and in JSON.
	RequestLimitExceeded = Kind{"RequestLimitExceeded", 503, "Request limit exceeded."}
	Throttling           = Kind{"Throttling", 400, "Rate exceeded"}
	ThrottlingException  = Kind{"ThrottlingException", 400, "Rate exceeded"}

	// Signatures, EC2: every cause is one answer.
	AuthFailure      = Kind{"AuthFailure", 401, "AWS was not able to validate the provided access credentials"}
	RequestExpired   = Kind{"RequestExpired", 400, "Request has expired."}
	MissingAccessKey = Kind{"MissingParameter", 400, "The request must contain the parameter AWSAccessKeyId"}

	// Requests.
	MissingAction               = Kind{"MissingAction", 400, "The request must contain the parameter Action"}
	InvalidAction               = Kind{"InvalidAction", 400, "The action %s is not valid for this web service."}
	NoSuchVersion               = Kind{"NoSuchVersion", 400, "The requested version (%s) is not valid"}
	MissingParameter            = Kind{"MissingParameter", 400, "The request must contain the parameter %s"}
	UnknownParameter            = Kind{"UnknownParameter", 400, "The parameter %s is not recognized"}
	InvalidParameterValue       = Kind{"InvalidParameterValue", 400, "Value (%s) for parameter %s is invalid. %s"}
	InvalidParameterCombination = Kind{"InvalidParameterCombination", 400, "The parameter %s cannot be used with the parameter %s"}
	InvalidParameterDependency  = Kind{"InvalidParameterDependency", 400, "The parameter [%s] requires the parameter %s to be set."}
	InvalidParameter            = Kind{"InvalidParameter", 400, "%s"}
	InvalidRequest              = Kind{"InvalidRequest", 400, "The request received was invalid."}
	InvalidID                   = Kind{"InvalidID", 400, "The ID '%s' is not valid"}
	MalformedQueryString        = Kind{"MalformedQueryString", 400, "%s"}
	MethodNotAllowed            = Kind{"InvalidRequest", 405, "The HTTP method %s is not supported: use POST or GET"}
	RequestEntityTooLarge       = Kind{"RequestEntityTooLarge", 413, "Request size exceeded the limit of %d bytes"}
	DryRunOperation             = Kind{"DryRunOperation", 412, "Request would have succeeded, but DryRun flag is set."}
	UnauthorizedOperation       = Kind{"UnauthorizedOperation", 403, "You are not authorized to perform this operation."}
	InvalidPaginationToken      = Kind{"InvalidPaginationToken", 400, "Next token '%s' is invalid"}
	FilterLimitExceeded         = Kind{"FilterLimitExceeded", 400, "The maximum number of filter values specified on a single call is 200"}
	IdempotentParameterMismatch = Kind{"IdempotentParameterMismatch", 400, "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."}
	UnsupportedOperation        = Kind{"UnsupportedOperation", 400, "%s"}
	OperationNotPermitted       = Kind{"OperationNotPermitted", 400, "%s"}
	IncorrectState              = Kind{"IncorrectState", 400, "%s"}
	DependencyViolation         = Kind{"DependencyViolation", 400, "%s"}
	InsufficientStorage         = Kind{"Unavailable", 503, "%s"}

	// Security groups.
	VPCIdNotSpecified               = Kind{"VPCIdNotSpecified", 400, "No default VPC for this user"}
	VPCIdNotSpecifiedForName        = Kind{"VPCIdNotSpecified", 400, "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC."}
	InvalidGroupNotFound            = Kind{"InvalidGroup.NotFound", 400, "The security group '%s' does not exist"}
	InvalidGroupsNotFound           = Kind{"InvalidGroup.NotFound", 400, "The security groups '%s' do not exist"}
	InvalidGroupNameNotFound        = Kind{"InvalidGroup.NotFound", 400, "The security group '%s' does not exist in default VPC '%s'"}
	InvalidGroupDifferentNetworks   = Kind{"InvalidGroup.NotFound", 400, "You have specified two resources that belong to different networks."}
	InvalidGroupDuplicate           = Kind{"InvalidGroup.Duplicate", 400, "The security group '%s' already exists for VPC '%s'"}
	InvalidGroupIdMalformed         = Kind{"InvalidGroupId.Malformed", 400, "Invalid id: \"%s\""}
	InvalidRuleNotFound             = Kind{"InvalidSecurityGroupRuleId.NotFound", 400, "The security group rule ID '%s' does not exist"}
	InvalidRuleIdMalformed          = Kind{"InvalidSecurityGroupRuleId.Malformed", 400, "Invalid id: \"%s\""}
	InvalidPermissionDuplicate      = Kind{"InvalidPermission.Duplicate", 400, "the specified rule \"%s\" already exists"}
	InvalidPermissionNotFound       = Kind{"InvalidPermission.NotFound", 400, "The specified rule does not exist in this security group."}
	CannotDelete                    = Kind{"CannotDelete", 400, "the specified group: \"%s\" name: \"%s\" cannot be deleted by a user"}
	SecurityGroupLimitExceeded      = Kind{"SecurityGroupLimitExceeded", 400, "The maximum number of security groups for VPC '%s' has been reached."}
	RulesPerGroupLimitExceeded      = Kind{"RulesPerSecurityGroupLimitExceeded", 400, "The maximum number of rules per security group has been reached."}
	GroupsPerInterfaceLimitExceeded = Kind{"SecurityGroupsPerInterfaceLimitExceeded", 400, "The maximum number of security groups per interface has been reached."}

	// Prefix lists.
	InvalidPrefixListNotFound     = Kind{"InvalidPrefixListID.NotFound", 400, "The prefix list ID '%s' does not exist"}
	InvalidPrefixListIdMalformed  = Kind{"InvalidPrefixListId.Malformed", 400, "Invalid id: \"%s\" (expecting \"pl-...\")"}
	PrefixListVersionMismatch     = Kind{"PrefixListVersionMismatch", 400, "The prefix list has the incorrect version number."}
	PrefixListMaxEntriesExceeded  = Kind{"PrefixListMaxEntriesExceeded", 400, "The prefix list would exceed its maximum number of entries (%d)."}
	InvalidPrefixListModification = Kind{"InvalidPrefixListModification", 400, "%s"}
	PrefixListLimitExceeded       = Kind{"PrefixListLimitExceeded", 400, "The maximum number of prefix lists has been reached."}

	// VPCs and subnets.
	InvalidVpcIDNotFound         = Kind{"InvalidVpcID.NotFound", 400, "The vpc ID '%s' does not exist"}
	InvalidVpcIDMalformed        = Kind{"InvalidVpcID.Malformed", 400, "Invalid id: \"%s\" (expecting \"vpc-...\")"}
	InvalidVpcRange              = Kind{"InvalidVpc.Range", 400, "The CIDR '%s' is invalid."}
	VpcLimitExceeded             = Kind{"VpcLimitExceeded", 400, "The maximum number of VPCs has been reached."}
	CidrLimitExceeded            = Kind{"CidrLimitExceeded", 400, "This network '%s' has met its maximum number of allowed CIDRs: %d"}
	DefaultVpcAlreadyExists      = Kind{"DefaultVpcAlreadyExists", 400, "A Default VPC already exists for this account in this region."}
	DefaultVpcDoesNotExist       = Kind{"DefaultVpcDoesNotExist", 400, "No default VPC exists for this account in this region."}
	InvalidCidrAssociation       = Kind{"InvalidVpcCidrBlockAssociationID.NotFound", 400, "The vpc CIDR block association ID '%s' does not exist"}
	InvalidSubnetCidrAssociation = Kind{"InvalidSubnetCidrBlockAssociationID.NotFound", 400, "The subnet CIDR block association ID '%s' does not exist"}
	InvalidSubnetIDNotFound      = Kind{"InvalidSubnetID.NotFound", 400, "The subnet ID '%s' does not exist"}
	InvalidSubnetIDMalformed     = Kind{"InvalidSubnetID.Malformed", 400, "Invalid id: \"%s\" (expecting \"subnet-...\")"}
	InvalidSubnetRange           = Kind{"InvalidSubnet.Range", 400, "The CIDR '%s' is invalid."}
	InvalidSubnetConflict        = Kind{"InvalidSubnet.Conflict", 400, "The CIDR '%s' conflicts with another subnet"}
	SubnetLimitExceeded          = Kind{"SubnetLimitExceeded", 400, "The maximum number of subnets has been reached."}
	InvalidCidrBlockInUse        = Kind{"InvalidCidrBlock.InUse", 400, "%s"}
	InvalidSubnetCidrMalformed   = Kind{"InvalidSubnetCidrBlockAssociationId.Malformed", 400, "The subnet CIDR block with association ID %s is malformed"}
	InvalidIpamPoolNotFound      = Kind{"InvalidIpamPoolId.NotFound", 400, "The ipam-pool ID '%s' does not exist"}
	InvalidPoolNotFound          = Kind{"InvalidPoolID.NotFound", 400, "The pool ID '%s' does not exist"}
	DefaultSubnetAlreadyExists   = Kind{"DefaultSubnetAlreadyExistsInAvailabilityZone", 400, "'%s' is already the default subnet in %s."}

	// Network interfaces.
	InvalidNetworkInterfaceNotFound  = Kind{"InvalidNetworkInterfaceID.NotFound", 400, "The networkInterface ID '%s' does not exist"}
	InvalidNetworkInterfaceMalformed = Kind{"InvalidNetworkInterfaceId.Malformed", 400, "Invalid id: \"%s\" (expecting \"eni-...\")"}
	InvalidNetworkInterfaceInUse     = Kind{"InvalidNetworkInterface.InUse", 400, "Interface: [%s] in use."}
	InvalidIPAddressInUse            = Kind{"InvalidIPAddress.InUse", 400, "Address %s is in use."}
	InsufficientFreeAddresses        = Kind{"InsufficientFreeAddressesInSubnet", 400, "The specified subnet does not have enough free addresses to satisfy the request."}
	PrivateIpAddressLimitExceeded    = Kind{"PrivateIpAddressLimitExceeded", 400, "Number of private addresses will exceed limit."}
	InsufficientCidrBlocks           = Kind{"InsufficientCidrBlocks", 400, "The specified subnet does not have enough free cidr blocks to satisfy the request"}
	NetworkInterfaceLimitExceeded    = Kind{"NetworkInterfaceLimitExceeded", 400, "The maximum number of network interfaces has been reached."}
	InvalidAttachmentMalformed       = Kind{"InvalidNetworkInterfaceAttachmentId.Malformed", 400, "Invalid id: \"%s\" (expecting \"eni-attach-...\")"}
	InvalidAttachmentNotFound        = Kind{"InvalidAttachmentID.NotFound", 400, "The network interface attachment ID '%s' does not exist"}

	// Tags.
	TagLimitExceeded = Kind{"TagLimitExceeded", 400, "The maximum number of Tags for a resource has been reached."}
)
