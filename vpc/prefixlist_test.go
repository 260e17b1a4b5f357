package vpc_test

import (
	"testing"

	"moat/vpc"
)

func TestPrefixListWeight(t *testing.T) {
	weights := map[string]int{
		"com.amazonaws.eu-west-1.s3": 1, "com.amazonaws.eu-west-1.dynamodb": 1,
		"com.amazonaws.eu-west-1.vpc-lattice": 10, "com.amazonaws.eu-west-1.ipv6.vpc-lattice": 10,
		"com.amazonaws.eu-west-1.ec2-instance-connect": 2, "com.amazonaws.eu-west-1.ipv6.ec2-instance-connect": 2,
		"com.amazonaws.global.cloudfront.origin-facing": 55, "com.amazonaws.global.ipv6.cloudfront.origin-facing": 55,
		"com.amazonaws.global.groundstation": 5,
	}
	lists := vpc.AWSPrefixLists("eu-west-1")
	if len(lists) != len(weights) {
		t.Errorf("%d lists of AWS's, want %d", len(lists), len(weights))
	}
	for _, l := range lists {
		if got := vpc.PrefixListWeight(l); got != weights[l.Name] {
			t.Errorf("%s weighs %d, want %d", l.Name, got, weights[l.Name])
		}
	}
	// A customer's list weighs what it may hold, not what it holds.
	if got := vpc.PrefixListWeight(&vpc.PrefixList{Owner: "123456789012", Name: "x.s3", MaxEntries: 30}); got != 30 {
		t.Errorf("an empty list of 30 weighs %d", got)
	}
}

// An id names one list, in whatever region, for as long as Moat runs: rules
// keep it.
func TestAWSPrefixListIDs(t *testing.T) {
	seen := map[vpc.PrefixListID]string{}
	for _, region := range []string{
		"us-east-1", "us-east-2", "us-west-1", "us-west-2", "af-south-1", "ap-east-1", "ap-south-1", "ap-south-2",
		"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4",
		"ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1",
		"eu-south-1", "eu-south-2", "il-central-1", "me-south-1", "me-central-1", "sa-east-1", "cn-north-1", "us-gov-west-1",
	} {
		for _, l := range vpc.AWSPrefixLists(region) {
			if !vpc.WellFormed(vpc.PrefixListPrefix, string(l.ID)) || seen[l.ID] != "" {
				t.Errorf("%s of %s has the id %s, which is malformed or of %s", l.Name, region, l.ID, seen[l.ID])
			}
			seen[l.ID] = l.Name + " of " + region
			if got := vpc.AWSPrefixList(region, l.ID); got == nil || got.Name != l.Name {
				t.Errorf("by its id %s in %s: %v, want %s", l.ID, region, got, l.Name)
			}
			for _, e := range l.Entries {
				if e.CIDR != e.CIDR.Masked() || e.CIDR.Addr().Is4() != (l.Family == vpc.FamilyIPv4) {
					t.Errorf("%s holds %s", l.Name, e.CIDR)
				}
			}
		}
	}
	if l := vpc.AWSPrefixList("eu-west-1", "pl-63a5400a"); l != nil {
		t.Errorf("us-east-1's list is found in eu-west-1: %v", l)
	}
	for _, c := range []struct {
		region string
		id     vpc.PrefixListID
		want   string
	}{
		{"us-east-1", "pl-63a5400a", "com.amazonaws.us-east-1.s3"},
		{"us-east-1", "pl-02cd2c6b", "com.amazonaws.us-east-1.dynamodb"},
		{"eu-west-1", "pl-34c02d9a", "com.amazonaws.eu-west-1.s3"}, // Moat's own, never to change
	} {
		if l := vpc.AWSPrefixList(c.region, c.id); l == nil || l.Name != c.want {
			t.Errorf("%s in %s is %v, want %s", c.id, c.region, l, c.want)
		}
	}
}
