package server_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"moat/state"
	"moat/store"
	"moat/vpc"
)

// TestAnEarlierStoreIsCompleted holds that the first call to a space which an
// earlier moat furnished finds what stands around its subnets, and that the
// calls after it change nothing more.
func TestAnEarlierStoreIsCompleted(t *testing.T) {
	ts, st := newAPI(t, nil)
	scope := state.Scope{Region: "us-east-1", Account: account}
	_, _, err := st.Write(context.Background(), &store.Write{Call: state.Call{Scope: scope, Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
		state.Spaces.Put(tx, &vpc.Space{Created: tx.Now, Furnished: 1})
		state.VPCs.Put(tx, &vpc.VPC{
			ID: "vpc-0123456789abcdef0", Owner: account, Default: true, DHCPOptions: vpc.DefaultDHCPOptions(scope.Region, account),
			Blocks: []vpc.Block{{CIDR: vpc.DefaultACLEntries(false)[0].CIDR}},
		})
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-0123456789abcdef0", VPC: "vpc-0123456789abcdef0"})
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(action string) string {
		resp := signed().post(t, ts.URL, "Action="+action+"&Version=2016-11-15")
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	if xml := ask("DescribeNetworkAcls"); !strings.Contains(xml, "<subnetId>subnet-0123456789abcdef0</subnetId>") {
		t.Errorf("the subnet has no network ACL: %s", xml)
	}
	if xml := ask("DescribeRouteTables"); !strings.Contains(xml, "<gatewayId>igw-") || !strings.Contains(xml, "<main>true</main>") {
		t.Errorf("the VPC has no main table with a way out: %s", xml)
	}
	rev := st.Latest().Rev
	ask("DescribeDhcpOptions")
	if now := st.Latest().Rev; now != rev {
		t.Errorf("revision %d, want %d: a space is completed once", now, rev)
	}
}
