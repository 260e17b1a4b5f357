package server

import (
	"strings"

	"moat/awsjson"
	"moat/awsquery"
	"moat/ec2query"
	"moat/fault"
	"moat/sigv4"
)

// A service is one of the APIs behind the endpoint, by the name that signs.
type service string

const (
	serviceEC2 service = "ec2"
	serviceSTS service = "sts"
	serviceIAM service = "iam"
	// serviceCloudTrail is asked in JSON; see package awsjson.
	serviceCloudTrail service = "cloudtrail"
)

// cloudTrailTarget is what the header that names an operation of CloudTrail
// begins with; AWS takes the short form too.
const cloudTrailTarget = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."

// cloudTrailAction gives the operation that a request names, if it is one of
// CloudTrail's.
func cloudTrailAction(target string) (string, bool) {
	if name, ok := strings.CutPrefix(target, cloudTrailTarget); ok {
		return name, true
	}
	return strings.CutPrefix(target, "CloudTrail_20131101.")
}

// serviceOfVersion guesses the service of a request that is not signed, or
// whose signature cannot be read.
func serviceOfVersion(version, action string) service {
	switch {
	case version == "2011-06-15" || action == "GetCallerIdentity" || strings.HasPrefix(action, "AssumeRole"):
		return serviceSTS
	case version == "2010-05-08":
		return serviceIAM
	}
	return serviceEC2
}

func (s service) namespace() awsquery.Namespace {
	if s == serviceIAM {
		return awsquery.IAM
	}
	return awsquery.STS
}

func (s service) decode(f *ec2query.Form, in any) error {
	if s == serviceEC2 {
		return f.Decode(in)
	}
	if err := awsquery.Decode(f, in); err != nil {
		return err
	}
	return awsquery.Validate(in)
}

func (s service) appendError(buf []byte, f *fault.Error, id string) []byte {
	switch s {
	case serviceEC2:
		return ec2query.AppendError(buf, f, id)
	case serviceCloudTrail:
		return awsjson.AppendError(buf, f)
	}
	return s.namespace().AppendError(buf, f, id)
}

// checkVersion refuses a version that is no date. Every well-formed one is
// answered in the shape of today's, since clients only add.
func (s service) checkVersion(version, action string) error {
	if s != serviceEC2 {
		return nil
	}
	if version == "" {
		return fault.MissingParameter.With("Version")
	}
	if len(version) == len("2016-11-15") {
		ok := true
		for i := range len(version) {
			c := version[i]
			ok = ok && ((i == 4 || i == 7) && c == '-' || i != 4 && i != 7 && c >= '0' && c <= '9')
		}
		if ok {
			return nil
		}
	}
	return fault.NoSuchVersion.With(version)
}

func (s service) unknownAction(action, version string) error {
	switch s {
	case serviceEC2:
		return fault.InvalidAction.With(action)
	case serviceCloudTrail:
		return fault.UnknownOperationException.With(action)
	}
	return fault.InvalidAction.Say("Could not find operation %s for version %s", action, version)
}

// authFault gives what a service says of a signature that fails. EC2 says the
// same of every cause.
func (s service) authFault(err error) *fault.Error {
	e, ok := err.(*sigv4.Error)
	if !ok {
		return fault.AuthFailure.With()
	}
	if s == serviceCloudTrail {
		return jsonAuthFault(e)
	}
	if s != serviceEC2 {
		code, message, status := e.STSMessage()
		return &fault.Error{Code: code, Status: status, Message: message}
	}
	switch e.Kind {
	case sigv4.Unsigned:
		return fault.MissingAccessKey.With()
	case sigv4.PresignedExpired, sigv4.TokenExpired:
		return fault.RequestExpired.With()
	}
	return fault.AuthFailure.With()
}

// jsonAuthFault gives what CloudTrail says of a signature that fails.
func jsonAuthFault(e *sigv4.Error) *fault.Error {
	code, message, _ := e.STSMessage()
	switch {
	case e.Kind == sigv4.Unsigned:
		return fault.MissingAuthenticationJSON.With()
	case e.Kind == sigv4.TokenExpired:
		return fault.ExpiredTokenJSON.With()
	case code == "InvalidClientTokenId":
		return fault.UnrecognizedClient.With()
	case code == "IncompleteSignature":
		return fault.IncompleteSignatureJSON.Say("%s", message)
	}
	return fault.InvalidSignature.Say("%s", message)
}
