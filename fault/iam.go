package fault

// IAM and STS. Texts: recorded answers of the services.
var (
	ValidationError = Kind{"ValidationError", 400, "%s"}
	InvalidInput    = Kind{"InvalidInput", 400, "%s"}

	NoSuchUser            = Kind{"NoSuchEntity", 404, "The user with name %s cannot be found."}
	NoSuchUserGroup       = Kind{"NoSuchEntity", 404, "The group with name %s cannot be found."}
	NoSuchRole            = Kind{"NoSuchEntity", 404, "The role with name %s cannot be found."}
	NoSuchInstanceProfile = Kind{"NoSuchEntity", 404, "Instance Profile %s cannot be found."}
	NoSuchAccessKey       = Kind{"NoSuchEntity", 404, "The Access Key with id %s cannot be found."}
	NoSuchInlinePolicy    = Kind{"NoSuchEntity", 404, "The %s policy with name %s cannot be found."}
	NoSuchPolicy          = Kind{"NoSuchEntity", 404, "Policy %s was not found."}
	NoSuchAttachable      = Kind{"NoSuchEntity", 404, "Policy %s does not exist or is not attachable."}
	NoSuchPolicyVersion   = Kind{"NoSuchEntity", 404, "Policy %s version %s does not exist or is not attachable."}
	NoSuchEntity          = Kind{"NoSuchEntity", 404, "%s"}

	EntityAlreadyExists = Kind{"EntityAlreadyExists", 409, "%s with name %s already exists."}
	PolicyAlreadyExists = Kind{"EntityAlreadyExists", 409, "A policy called %s already exists. Duplicate names are not allowed."}
	DeleteConflict      = Kind{"DeleteConflict", 409, "%s"}
	LimitExceeded       = Kind{"LimitExceeded", 409, "Cannot exceed quota for %s: %d"}
	PolicyTooLong       = Kind{"LimitExceeded", 409, "Maximum policy size of %d bytes exceeded for %s %s"}
	PolicyVersionsLimit = Kind{"LimitExceeded", 409, "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version."}
	UnmodifiableEntity  = Kind{"UnmodifiableEntity", 400, "%s"}

	// STS.
	PackedPolicyTooLarge        = Kind{"PackedPolicyTooLarge", 400, "%s"}
	InvalidAuthorizationMessage = Kind{"InvalidAuthorizationMessageException", 400, "Message is not valid"}
)
