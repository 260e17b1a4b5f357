package ec2_test

import (
	"testing"

	"moat/ec2/ec2test"
)

func TestTagsThatNoReplyCouldShow(t *testing.T) {
	w := ec2test.New(t)
	vpcID := ec2test.One(w.Must("DescribeVpcs"), "vpcId")
	for _, s := range []string{"a\x00b", "a\x1fb", "\uffff"} {
		w.Refused("InvalidParameterValue", "CreateTags", "ResourceId.1", vpcID, "Tag.1.Key", s, "Tag.1.Value", "v")
		w.Refused("InvalidParameterValue", "CreateTags", "ResourceId.1", vpcID, "Tag.1.Key", "k", "Tag.1.Value", s)
	}
	w.Must("CreateTags", "ResourceId.1", vpcID, "Tag.1.Key", "größe\t日本", "Tag.1.Value", "\u00a0")
}
