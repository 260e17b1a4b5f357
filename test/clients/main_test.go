// Package clients tests moat with the clients that its users have: the AWS
// CLI in every version found, boto3, curl and the shell, against a real
// `moat serve` on a data directory of its own.
package clients_test

import (
	"testing"

	"moat/test/moattest"
)

func TestMain(m *testing.M) { moattest.Main(m) }
