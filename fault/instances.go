package fault

// Instances, key pairs, public addresses: the EC2 API reference's error list
// and recorded answers of the service.
var (
	InvalidInstanceIDNotFound      = Kind{"InvalidInstanceID.NotFound", 400, "The instance ID '%s' does not exist"}
	InvalidInstanceIDsNotFound     = Kind{"InvalidInstanceID.NotFound", 400, "The instance IDs '%s' do not exist"}
	InvalidInstanceIDMalformed     = Kind{"InvalidInstanceID.Malformed", 400, "Invalid id: \"%s\""}
	InvalidInstanceIDAmbiguous     = Kind{"InvalidInstanceID", 400, "There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead."}
	InvalidAMIIDNotFound           = Kind{"InvalidAMIID.NotFound", 400, "The image id '[%s]' does not exist"}
	InvalidAMIIDMalformed          = Kind{"InvalidAMIID.Malformed", 400, "Invalid id: \"%s\" (expecting \"ami-...\")"}
	InvalidInstanceType            = Kind{"InvalidInstanceType", 400, "The following supplied instance types do not exist: [%s]"}
	IncorrectInstanceState         = Kind{"IncorrectInstanceState", 400, "%s"}
	InvalidBlockDeviceMapping      = Kind{"InvalidBlockDeviceMapping", 400, "%s"}
	InvalidLaunchTemplateID        = Kind{"InvalidLaunchTemplateId.NotFound", 400, "The specified launch template, with template ID %s, does not exist."}
	InvalidLaunchTemplateName      = Kind{"InvalidLaunchTemplateName.NotFoundException", 400, "The specified launch template, with template name %s, does not exist."}
	InvalidPlacementGroupUnknown   = Kind{"InvalidPlacementGroup.Unknown", 400, "The Placement Group '%s' is unknown."}
	InvalidHostID                  = Kind{"InvalidHostID.NotFound", 400, "The host ID '%s' does not exist"}
	InvalidCapacityReservation     = Kind{"InvalidCapacityReservationId.NotFound", 400, "The capacity reservation '%s' does not exist."}
	UnsupportedHibernation         = Kind{"UnsupportedHibernationConfiguration", 400, "%s"}
	GroupsPerInstanceLimitExceeded = Kind{"SecurityGroupsPerInstanceLimitExceeded", 400, "The maximum number of security groups per instance has been reached."}
	InstanceLimitExceeded          = Kind{"InstanceLimitExceeded", 400, "You have requested more instances (%d) than your current instance limit of %d allows for the specified instance type. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."}
	AttachmentLimitExceeded        = Kind{"AttachmentLimitExceeded", 400, "Interface count %d exceeds the limit for %s"}
	IdempotentInstanceTerminated   = Kind{"IdempotentInstanceTerminated", 400, "The client token '%s' was used to launch instances that have been terminated."}
	MissingInput                   = Kind{"MissingInput", 400, "%s"}

	InvalidVolumeNotFound  = Kind{"InvalidVolume.NotFound", 400, "The volume '%s' does not exist."}
	InvalidVolumeMalformed = Kind{"InvalidVolumeID.Malformed", 400, "Invalid id: \"%s\" (expecting \"vol-...\")"}
	VolumeInUse            = Kind{"VolumeInUse", 400, "Volume %s is currently attached to %s"}

	InvalidKeyPairNotFound  = Kind{"InvalidKeyPair.NotFound", 400, "The key pair '%s' does not exist"}
	InvalidKeyPairsNotFound = Kind{"InvalidKeyPair.NotFound", 400, "The key pairs '%s' do not exist"}
	InvalidKeyPairDuplicate = Kind{"InvalidKeyPair.Duplicate", 400, "The keypair already exists"}
	InvalidKeyPairMalformed = Kind{"InvalidKeyPairId.Malformed", 400, "Invalid id: \"%s\" (expecting \"key-...\")"}
	InvalidKeyFormat        = Kind{"InvalidKey.Format", 400, "Key is not in valid OpenSSH public key format"}

	AddressLimitExceeded         = Kind{"AddressLimitExceeded", 400, "The maximum number of addresses has been reached."}
	InvalidAddressNotFound       = Kind{"InvalidAddress.NotFound", 400, "Address '%s' not found."}
	InvalidAllocationNotFound    = Kind{"InvalidAllocationID.NotFound", 400, "The allocation ID '%s' does not exist"}
	InvalidAllocationsNotFound   = Kind{"InvalidAllocationID.NotFound", 400, "The allocation IDs '%s' do not exist"}
	InvalidAllocationMalformed   = Kind{"InvalidAllocationID.Malformed", 400, "Invalid id: \"%s\" (expecting \"eipalloc-...\")"}
	InvalidAssociationMalformed  = Kind{"InvalidAssociationID.Malformed", 400, "Invalid id: \"%s\" (expecting \"eipassoc-...\")"}
	ResourceAlreadyAssociated    = Kind{"Resource.AlreadyAssociated", 400, "%s"}
	InvalidIPAddressAddressInUse = Kind{"InvalidIPAddress.InUse", 400, "%s"}
	InsufficientAddressCapacity  = Kind{"InsufficientAddressCapacity", 400, "Insufficient capacity to allocate an address from the pool '%s'."}
)
