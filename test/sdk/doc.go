// Package sdk tests Moat with the AWS SDK for Go, version 2. It is a module of
// its own, so that the SDK is no dependency of Moat:
//
//	cd test/sdk && go test
//
// The SDK's types are the published service model: service/ec2 v1.344.1 (API
// version 2016-11-15), service/iam v1.64.8 (2010-05-08) and service/sts v1.51.8
// (2011-06-15). TestModelVersion holds these numbers to what is really linked.
//
//   - model_test.go: every action has all the members of the model, no more.
//   - wire_test.go: every member of every action survives the way in and out.
//   - the others call every action of a running `moat serve`.
package sdk
