package awscli

import (
	"context"
	"slices"
	"strings"
	"time"

	"moat/awsargs"
	"moat/awsmodel"
)

// Command gives the word of a line at which a command stands: the first that
// is neither a global option nor its value.
func Command(args []string) string {
	command, _, _ := cutGlobals(args)
	return command
}

// cutGlobals splits a line at its command: what it is, the global options
// before and after it, and the other words.
func cutGlobals(args []string) (command string, globals, rest []string) {
	s := &session{}
	options := append(s.globalOptions(), &awsargs.Option{Name: "--cli-compat"})
	for i := 0; i < len(args); i++ {
		name, _, has := strings.Cut(args[i], "=")
		j := slices.IndexFunc(options, func(o *awsargs.Option) bool { return o.Name == name })
		switch {
		case j >= 0 && options[j].Arity == awsargs.One && !has && i+1 < len(args):
			globals = append(globals, args[i], args[i+1])
			i++
		case j >= 0:
			globals = append(globals, args[i])
		case command == "" && strings.HasPrefix(name, "-"):
			return "", globals, args[i:]
		case command == "":
			command = args[i]
		default:
			rest = append(rest, args[i])
		}
	}
	return command, globals, rest
}

// Complete gives what may stand where word stands, after a line. What follows
// a tab describes it. Nil stands for files.
func Complete(ctx context.Context, inv Invocation, word string) []string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	s := &session{Invocation: inv, ctx: ctx, prog: inv.Prog, config: &configuration{getenv: inv.Getenv}}
	s.globals.readTimeout, s.globals.connectTimeout = 2*time.Second, time.Second
	s.agent = "moat-cli/" + inv.Version
	found := s.complete(inv.Args)
	if found == nil {
		return nil
	}
	return slices.DeleteFunc(found, func(f string) bool { return !strings.HasPrefix(f, word) })
}

func (s *session) complete(args []string) []string {
	last := ""
	if len(args) > 0 {
		last = args[len(args)-1]
	}
	for _, o := range s.globalOptions() {
		if o.Name == last && o.Arity == awsargs.One {
			return s.globalValues(o)
		}
	}
	command, globals, rest := cutGlobals(args)
	service := s.service(command)
	switch {
	case command == "":
		return append(s.commandNames(), optionNames(s.globalOptions())...)
	case command == "configure" && len(rest) == 0:
		return []string{"get", "list", "list-profiles", "set"}
	case service == nil:
		return []string{}
	case len(rest) == 0:
		return s.operations(service)
	}
	p := &awsargs.Parser{Options: s.globalOptions()}
	if values, _, err := p.Parse(globals); err == nil {
		_ = s.take(values) // one that is wrong is no obstacle here
	}
	op, waiter := service.Find(rest[0]), false
	if rest[0] == "wait" {
		if len(rest) == 1 {
			names := []string{}
			for _, w := range service.Waiters {
				names = append(names, awsmodel.CommandName(w))
			}
			return names
		}
		waiter = true
		for _, w := range service.Waiters {
			if awsmodel.CommandName(w) == rest[1] {
				op = service.Lookup(service.Wait(w).Operation)
			}
		}
	}
	if op == nil {
		return []string{}
	}
	table := awsargs.For(op, waiter)
	for i := len(rest) - 1; i > 0; i-- {
		if !strings.HasPrefix(rest[i], "--") {
			continue
		}
		for _, a := range table.List {
			if a.Name != rest[i] {
				continue
			}
			words := len(rest) - 1 - i
			if a.Arity == awsargs.Zero || words > 0 && a.Arity != awsargs.Any {
				break
			}
			values := s.values(service, op, a)
			if a.Arity == awsargs.Any && words > 0 {
				values = append(values, s.optionsOf(table, rest)...)
			}
			return values
		}
		break
	}
	return s.optionsOf(table, rest)
}

// operations gives a service's commands, with what they do.
func (s *session) operations(service *awsmodel.Service) []string {
	names := []string{}
	for i, c := range service.Commands() {
		if op := service.Lookup(service.Operations[i]); op != nil && op.Doc != "" {
			c += "\t" + firstSentence(op.Doc)
		}
		names = append(names, c)
	}
	if len(service.Waiters) > 0 {
		names = append(names, "wait\tPoll until something is so")
	}
	return append(names, "help")
}

func optionNames(options []*awsargs.Option) []string {
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.Name
	}
	return names
}

// optionsOf gives the options that a line does not have yet.
func (s *session) optionsOf(table *awsargs.Arguments, have []string) []string {
	names := []string{}
	for _, a := range table.List {
		if !a.Hidden && !slices.Contains(have, a.Name) {
			name := a.Name
			if a.Required {
				name += "\trequired"
			}
			names = append(names, name)
		}
	}
	return append(names, optionNames(s.globalOptions())...)
}

func (s *session) globalValues(o *awsargs.Option) []string {
	switch {
	case o.Choices != nil:
		return slices.Clone(o.Choices)
	case o.Name == "--profile":
		if s.config.load() == nil {
			return slices.Clone(s.config.names)
		}
	case o.Name == "--region":
		return s.ask("ec2", "DescribeRegions", "Regions", "RegionName", "")
	case o.Name == "--ca-bundle":
		return nil
	}
	return []string{}
}

// A kind of thing that options name: what lists it, and which members are its
// id and its name. The longest suffix of an option's name that is here says
// what the option takes.
var kinds = []struct{ option, service, operation, list, id, name string }{
	{"security-group-rule-id", "ec2", "DescribeSecurityGroupRules", "SecurityGroupRules", "SecurityGroupRuleId", "Description"},
	{"security-group-id", "ec2", "DescribeSecurityGroups", "SecurityGroups", "GroupId", "GroupName"},
	{"security-group", "ec2", "DescribeSecurityGroups", "SecurityGroups", "GroupId", "GroupName"},
	{"source-group", "ec2", "DescribeSecurityGroups", "SecurityGroups", "GroupId", "GroupName"},
	{"network-interface-id", "ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", "NetworkInterfaceId", "Description"},
	{"prefix-list-id", "ec2", "DescribeManagedPrefixLists", "PrefixLists", "PrefixListId", "PrefixListName"},
	{"availability-zone", "ec2", "DescribeAvailabilityZones", "AvailabilityZones", "ZoneName", "State"},
	{"zone-name", "ec2", "DescribeAvailabilityZones", "AvailabilityZones", "ZoneName", "State"},
	{"region-name", "ec2", "DescribeRegions", "Regions", "RegionName", "Endpoint"},
	{"route-table-id", "ec2", "DescribeRouteTables", "RouteTables", "RouteTableId", ""},
	{"internet-gateway-id", "ec2", "DescribeInternetGateways", "InternetGateways", "InternetGatewayId", ""},
	{"network-acl-id", "ec2", "DescribeNetworkAcls", "NetworkAcls", "NetworkAclId", ""},
	{"instance-id", "ec2", "DescribeInstances", "Reservations[].Instances", "InstanceId", ""},
	{"subnet-id", "ec2", "DescribeSubnets", "Subnets", "SubnetId", "CidrBlock"},
	{"vpc-id", "ec2", "DescribeVpcs", "Vpcs", "VpcId", "CidrBlock"},
	{"group-name", "ec2", "DescribeSecurityGroups", "SecurityGroups", "GroupName", "Description"},
	{"group-id", "ec2", "DescribeSecurityGroups", "SecurityGroups", "GroupId", "GroupName"},
	{"groups", "ec2", "DescribeSecurityGroups", "SecurityGroups", "GroupId", "GroupName"},
	{"resources", "ec2", "DescribeSecurityGroups", "SecurityGroups", "GroupId", "GroupName"},
	{"user-name", "iam", "ListUsers", "Users", "UserName", "Arn"},
	{"group-name", "iam", "ListGroups", "Groups", "GroupName", "Arn"},
	{"role-name", "iam", "ListRoles", "Roles", "RoleName", "Arn"},
	{"policy-arn", "iam", "ListPolicies", "Policies", "Arn", "PolicyName"},
}

// values gives what an option may be set to: its words, or the ids and names
// of what there is. Nil stands for files.
func (s *session) values(service *awsmodel.Service, op *awsmodel.Operation, a *awsargs.Argument) []string {
	if a.Choices != nil {
		return slices.Clone(a.Choices)
	}
	if strings.HasPrefix(a.Name, "--cli-input") {
		return nil
	}
	shape := a.Shape()
	if shape != nil && shape.Kind == awsmodel.List {
		shape = shape.Elem
	}
	if shape != nil && len(shape.Enum) > 0 {
		return slices.Clone(shape.Enum)
	}
	name := strings.TrimPrefix(a.Name, "--")
	for _, k := range kinds {
		if k.service == service.Name && (strings.HasSuffix(name, k.option) || strings.HasSuffix(strings.TrimSuffix(name, "s"), k.option)) && !strings.HasPrefix(op.Name, "Create"+strings.TrimSuffix(k.list, "s")) {
			return s.ask(k.service, k.operation, k.list, k.id, k.name)
		}
	}
	return []string{}
}

// ask lists what there is. Of a thing without a name of its own its Name tag
// is shown.
func (s *session) ask(serviceName, operation, list, id, name string) []string {
	found := []string{}
	service := s.service(serviceName)
	if service == nil {
		return found
	}
	op := service.Lookup(operation)
	if op == nil {
		return found
	}
	c, err := s.newClient(service)
	if err != nil {
		return found
	}
	c.attempts = 1
	a, err := c.call(s.ctx, op, &awsmodel.Map{})
	if err != nil || a.refused != nil {
		return found
	}
	items, _ := choose(a.out, list).([]any)
	if strings.Contains(list, "[") {
		items, _ = choose(a.out, list+"[]").([]any)
	}
	for _, item := range items {
		text, _ := pick(item, id).(string)
		if text == "" {
			continue
		}
		label, _ := pick(item, name).(string)
		tags, _ := pick(item, "Tags").([]any)
		for _, t := range tags {
			if pick(t, "Key") == "Name" && name != "GroupName" {
				if v, _ := pick(t, "Value").(string); v != "" {
					label = v
				}
			}
		}
		if label != "" {
			text += "\t" + label
		}
		found = append(found, text)
	}
	return found
}
