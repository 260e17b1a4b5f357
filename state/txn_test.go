package state_test

import (
	"fmt"
	"testing"
	"time"

	"moat/state"
	"moat/vpc"
)

// stageRows stages so many rows in one call, each of them so many times, and
// returns how long that takes.
func stageRows(rows, times int) time.Duration {
	tx := state.NewStage(state.NewView()).Begin(state.Call{Scope: home, Now: time.Unix(0, 0)})
	began := time.Now()
	for range times {
		for i := range rows {
			state.Subnets.Put(tx, &vpc.Subnet{ID: vpc.SubnetID(fmt.Sprintf("subnet-%d", i))})
		}
	}
	return time.Since(began)
}

// The time of a call is in proportion to the rows that it changes. While a call
// is planned all other writers wait.
func TestLargeTransactionIsLinear(t *testing.T) {
	const few, many = 2_000, 32_000
	stageRows(few, 2) // warm up
	small, large := stageRows(few, 2), stageRows(many, 2)
	for again := 3; large > 5*many/few*small; again-- { // the machine may be busy
		if again == 0 {
			t.Fatalf("%d rows take %v and %d rows %v: more than 5 times as long per row", few, small, many, large)
		}
		small, large = min(small, stageRows(few, 2)), min(large, stageRows(many, 2))
	}
}

// Each row is one change, from what was there before the call to what is there
// after it, however many rows there are and in whichever scopes and kinds.
func TestLargeTransactionRecordsEachRowOnce(t *testing.T) {
	const rows = 100
	there := state.Scope{Region: "eu-west-1", Account: home.Account}
	base, _ := call(t, state.NewView(), func(tx *state.Txn) {
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-0", AvailabilityZone: "before"})
	})
	_, changes := call(t, base, func(tx *state.Txn) {
		for _, zone := range []string{"first", "last"} {
			for i := range rows {
				state.Subnets.Put(tx, &vpc.Subnet{ID: vpc.SubnetID(fmt.Sprintf("subnet-%d", i)), AvailabilityZone: zone})
				state.Subnets.Put(tx.In(there), &vpc.Subnet{ID: vpc.SubnetID(fmt.Sprintf("subnet-%d", i)), AvailabilityZone: zone})
				// The same id, of another kind.
				state.VPCs.Put(tx, &vpc.VPC{ID: vpc.VPCID(fmt.Sprintf("subnet-%d", i))})
			}
		}
		state.Subnets.Delete(tx, "subnet-99") // came and went
	})
	if want := 3*rows - 1; len(changes) != want {
		t.Fatalf("%d changes, want %d", len(changes), want)
	}
	for _, c := range changes {
		if s, ok := c.New.(*vpc.Subnet); ok && s.AvailabilityZone != "last" {
			t.Errorf("%s ends as %q, want last", c.Key(), s.AvailabilityZone)
		}
		if was := c.Old != nil; was != (c.ID == "subnet-0" && c.Kind == state.Subnets && c.Scope == home) {
			t.Errorf("%s had a row before: %v", c.Key(), was)
		}
	}
}

// BenchmarkTransaction measures one call that changes many rows.
//
//	go test ./state -run XXX -bench Transaction
func BenchmarkTransaction(b *testing.B) {
	for _, rows := range []int{10, 1_000, 8_000, 32_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			for b.Loop() {
				stageRows(rows, 1)
			}
		})
	}
}
