package awsmodel_test

import (
	"testing"

	"moat/awsmodel"
)

func TestCommandName(t *testing.T) {
	for name, want := range map[string]string{
		"DescribeVpcs": "describe-vpcs", "AuthorizeSecurityGroupIngress": "authorize-security-group-ingress", "CidrIpv6": "cidr-ipv6",
		"DBInstance": "db-instance", "TargetARNs": "target-arns", "ListMFADevices": "list-mfa-devices", "CreateVpcEndpoint": "create-vpc-endpoint",
		"EnableVgwRoutePropagation": "enable-vgw-route-propagation", "GetSSHPublicKey": "get-ssh-public-key", "already-done": "already-done",
		"Ipv6CidrBlock": "ipv6-cidr-block", "AssumeRoleWithSAML": "assume-role-with-saml",
	} {
		if got := awsmodel.CommandName(name); got != want {
			t.Errorf("CommandName(%s) = %s, want %s", name, got, want)
		}
	}
}

const table = "# a comment\nservice\tec2\tEC2\tTitle\t2016\tec2\t\nops\tDescribeThings\tMakeThing\nwaiters\tThingThere\nchoices\tdescribe-things\twait\n\n" +
	"o\tDescribeThings\tIn\tOut\t\no\tMakeThing\tIn\t\t\n\n" +
	"p\tDescribeThings\tNextToken\tNextToken\tThings\t\t\tMax\n\n" +
	"w\tThingThere\tDescribeThings\t5\t9\tsuccess\tpath\tlength(Things)\ti:1\n\n" +
	"s\tColour\tstring\t\tred\tgreen\ns\tIn\tstructure\tIds:Names:Id::r\tMax:Limit\tNextToken:Name\ns\tLimit\tinteger\t5\ns\tName\tstring\t\ns\tNames\tlist\tName\t+\t\n" +
	"s\tOut\tstructure\tNextToken:Name::nextToken\tThings:Things::thingSet\ns\tThing\tstructure\tColour:Colour::colour\tInner:Thing::inner\ns\tThings\tlist\tThing\t+\t\n\n"

func TestTable(t *testing.T) {
	s := awsmodel.ReadTable(table)
	op := s.Find("describe-things")
	if op == nil || s.Find("describe-thing") != nil || s.Lookup("Nothing") != nil {
		t.Fatal("describe-things is the operation, and nothing else")
	}
	ids := op.In.Member("Ids")
	if !ids.Required || ids.In != "Id" || ids.Out != "Ids" || !ids.Shape.Flat || ids.Shape.Elem.Kind != awsmodel.String {
		t.Errorf("Ids: %+v of %+v", ids, ids.Shape)
	}
	if limit := op.In.Member("Max").Shape; !limit.HasMin || limit.Min != 5 || limit.Kind != awsmodel.Integer {
		t.Errorf("Max: %+v", limit)
	}
	thing := op.Out.Member("Things").Shape.Elem
	if thing.Member("Inner").Shape != thing || len(thing.Member("Colour").Shape.Enum) != 2 {
		t.Errorf("a shape that holds itself: %+v", thing)
	}
	if op.Pages == nil || op.Pages.LimitKey != "Max" || s.Lookup("MakeThing").Pages != nil {
		t.Errorf("pages: %+v", op.Pages)
	}
	if w := s.Wait("ThingThere"); w.Delay != 5 || w.MaxAttempts != 9 || w.Acceptors[0].Expected != int64(1) {
		t.Errorf("waiter: %+v", w)
	}
}
