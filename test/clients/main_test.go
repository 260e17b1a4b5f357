// Package clients tests moat with the clients that its users have: the AWS
// CLI in every version found, boto3, Ansible, the SDK for JavaScript, fog, curl
// and the shell, against a real `moat serve` on a data directory of its own.
// The SDK for Go is in test/sdk.
package clients_test

import (
	"testing"

	"moat/test/moattest"
)

func TestMain(m *testing.M) { moattest.Main(m) }
