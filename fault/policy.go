package fault

// What permissions refuse.
var (
	// A document that is no policy: IAM and STS.
	MalformedPolicyDocument = Kind{"MalformedPolicyDocument", 400, "%s"}
	// A call that no policy allows: IAM, STS and the operator's API.
	AccessDenied = Kind{"AccessDenied", 403, "%s"}
)
