package fault

// CloudTrail. The codes are those of its API reference; the texts of the
// Invalid… ones are ours where no recording is known.
var (
	InvalidLookupAttributes    = Kind{"InvalidLookupAttributesException", 400, "The lookup attributes are not valid."}
	InvalidMaxResultsException = Kind{"InvalidMaxResultsException", 400, "MaxResults must be between 1 and %d."}
	InvalidNextTokenException  = Kind{"InvalidNextTokenException", 400, "Invalid nextToken."}
	InvalidTimeRange           = Kind{"InvalidTimeRangeException", 400, "StartTime must be before EndTime."}
	InvalidEventCategory       = Kind{"InvalidEventCategoryException", 400, "The event category is not valid."}

	SerializationException    = Kind{"SerializationException", 400, "The request's body is not the JSON that the operation takes."}
	UnknownOperationException = Kind{"UnknownOperationException", 400, "The operation %s is not one that this service has."}
	AccessDeniedException     = Kind{"AccessDeniedException", 400, "%s"}
	UnrecognizedClient        = Kind{"UnrecognizedClientException", 400, "The security token included in the request is invalid."}
	InvalidSignature          = Kind{"InvalidSignatureException", 400, "%s"}
	MissingAuthenticationJSON = Kind{"MissingAuthenticationTokenException", 400, "Request is missing Authentication Token"}
	ExpiredTokenJSON          = Kind{"ExpiredTokenException", 400, "The security token included in the request is expired"}
	IncompleteSignatureJSON   = Kind{"IncompleteSignatureException", 400, "%s"}
)
