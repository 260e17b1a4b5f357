"""Calls every action that this boto3 knows, as scripts of its users do.

    boto.py ACTION...

finds the server by AWS_ENDPOINT_URL, calls everything once at least, and
prints as JSON which of the actions it called and which this boto3 lacks. An
answer that is not as expected ends it with a traceback.
"""
import json
import os
import sys
import urllib.error
import urllib.request

import boto3
from botocore.exceptions import ClientError, WaiterError

endpoint = os.environ["AWS_ENDPOINT_URL"]
session = boto3.Session(region_name=os.environ["AWS_REGION"])
ec2 = session.client("ec2", endpoint_url=endpoint)
sts = session.client("sts", endpoint_url=endpoint)
resource = session.resource("ec2", endpoint_url=endpoint)

answered = set()


def note(http_response, model, **_):
    if http_response.status_code == 200:
        answered.add(model.name)


for client in (ec2, sts, resource.meta.client):
    client.meta.events.register("after-call", note)


def equal(what, got, want):
    assert got == want, f"{what} is {got!r}, want {want!r}"


def refused(code, call, message=None, status=400, **kwargs):
    """Wants a ClientError with that code, status and, if given, message."""
    try:
        got = call(**kwargs)
    except ClientError as e:
        equal("error code", e.response["Error"]["Code"], code)
        equal("status", e.response["ResponseMetadata"]["HTTPStatusCode"], status)
        assert e.response["ResponseMetadata"]["RequestId"], "no request id"
        equal("attempts", e.response["ResponseMetadata"]["RetryAttempts"], 0)
        if message is not None:
            equal("message", e.response["Error"]["Message"], message)
        return
    raise AssertionError(f"{call.__name__} succeeds with {got!r}, want {code}")


def only(items):
    items = list(items)
    assert len(items) == 1, f"want one item, got {items!r}"
    return items[0]


def filters(**kwargs):
    return [{"Name": k.replace("__", ":").replace("_", "-"), "Values": v if isinstance(v, list) else [v]} for k, v in kwargs.items()]


def no_meta(answer):
    return {k: v for k, v in answer.items() if k != "ResponseMetadata"}


def places():
    account = sts.get_caller_identity()["Account"]
    equal("account", account, "123456789012")
    equal("zone", ec2.describe_availability_zones()["AvailabilityZones"][0]["RegionName"], session.region_name)
    equal("region", only(ec2.describe_regions(RegionNames=["us-east-1"])["Regions"])["Endpoint"], "ec2.us-east-1.amazonaws.com")
    names = {a["AttributeName"] for a in ec2.describe_account_attributes()["AccountAttributes"]}
    assert {"supported-platforms", "default-vpc"} <= names, names

    vpc = resource.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)
    ec2.get_waiter("vpc_exists").wait(VpcIds=[vpc.id])
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc.id])
    vpc.reload()
    equal("VPC state", vpc.state, "available")
    equal("default", vpc.is_default, False)
    vpc.modify_attribute(EnableDnsHostnames={"Value": True})
    equal("DNS names", vpc.describe_attribute(Attribute="enableDnsHostnames")["EnableDnsHostnames"], {"Value": True})
    block = ec2.associate_vpc_cidr_block(VpcId=vpc.id, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]
    equal("blocks", len(only(ec2.describe_vpcs(VpcIds=[vpc.id])["Vpcs"])["CidrBlockAssociationSet"]), 2)
    ec2.disassociate_vpc_cidr_block(AssociationId=block["AssociationId"])

    subnet = vpc.create_subnet(CidrBlock="10.0.1.0/24")
    ec2.get_waiter("subnet_available").wait(SubnetIds=[subnet.id])
    equal("free addresses", subnet.available_ip_address_count, 251)
    ec2.modify_subnet_attribute(SubnetId=subnet.id, MapPublicIpOnLaunch={"Value": True})
    subnet.reload()
    equal("public addresses", subnet.map_public_ip_on_launch, True)
    six = vpc.ipv6_cidr_block_association_set[0]["Ipv6CidrBlock"].replace("/56", "/64")
    joined = ec2.associate_subnet_cidr_block(SubnetId=subnet.id, Ipv6CidrBlock=six)["Ipv6CidrBlockAssociation"]
    equal("subnets", [s.id for s in vpc.subnets.all()], [subnet.id])
    refused("InvalidSubnet.Conflict", ec2.create_subnet, "The CIDR '10.0.1.0/25' conflicts with another subnet", VpcId=vpc.id, CidrBlock="10.0.1.0/25")
    return vpc, subnet, joined


def groups(vpc):
    group = vpc.create_security_group(GroupName="web", Description="web tier", TagSpecifications=[
        {"ResourceType": "security-group", "Tags": [{"Key": "Name", "Value": "web"}]}])
    ec2.get_waiter("security_group_exists").wait(GroupIds=[group.id])
    equal("tags", group.tags, [{"Key": "Name", "Value": "web"}])
    equal("inbound", group.ip_permissions, [])
    equal("outbound", group.ip_permissions_egress, [{
        "IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}], "PrefixListIds": [], "UserIdGroupPairs": []}])

    prefixes = ec2.create_managed_prefix_list(PrefixListName="offices", AddressFamily="IPv4", MaxEntries=3, Entries=[{"Cidr": "203.0.113.0/24"}])["PrefixList"]["PrefixListId"]
    added = group.authorize_ingress(IpPermissions=[{
        "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
        "IpRanges": [{"CidrIp": "198.51.100.7/24", "Description": "office"}], "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
        "PrefixListIds": [{"PrefixListId": prefixes}], "UserIdGroupPairs": [{"GroupId": group.id}]}])
    equal("Return", added["Return"], True)
    rules = added["SecurityGroupRules"]
    equal("rules", len({r["SecurityGroupRuleId"] for r in rules}), 4)
    equal("first rule", {k: rules[0][k] for k in ("CidrIpv4", "Description", "FromPort", "IsEgress", "IpProtocol", "GroupOwnerId", "Tags")}, {
        "CidrIpv4": "198.51.100.0/24", "Description": "office", "FromPort": 443, "IsEgress": False, "IpProtocol": "tcp", "GroupOwnerId": "123456789012", "Tags": []})
    first = rules[0]["SecurityGroupRuleId"]
    refused("InvalidPermission.Duplicate", group.authorize_ingress, 'the specified rule "peer: 198.51.100.0/24, TCP, from port: 443, to port: 443, ALLOW" already exists',
            IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="198.51.100.0/24")
    group.authorize_ingress(IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="192.0.2.1/32")
    group.authorize_egress(IpPermissions=[{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.2/32"}]}])

    pages = list(ec2.get_paginator("describe_security_group_rules").paginate(Filters=filters(group_id=group.id), PaginationConfig={"PageSize": 5}))
    equal("pages of rules", [len(p["SecurityGroupRules"]) for p in pages], [5, 3])
    assert "NextToken" not in pages[-1]

    ec2.modify_security_group_rules(GroupId=group.id, SecurityGroupRules=[{
        "SecurityGroupRuleId": first, "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "CidrIpv4": "198.51.100.0/24", "Description": "moved"}}])
    rule = only(ec2.describe_security_group_rules(SecurityGroupRuleIds=[first])["SecurityGroupRules"])
    equal("a modified rule", (rule["FromPort"], rule["Description"]), (8443, "moved"))
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group.id, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": first, "Description": "again"}])
    ec2.update_security_group_rule_descriptions_egress(GroupId=group.id, IpPermissions=[{
        "IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.2/32", "Description": "resolver"}]}])
    group.reload()
    found = [p for p in group.ip_permissions if p["FromPort"] == 8443]
    equal("a described rule", found, [{"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "UserIdGroupPairs": [], "IpRanges": [
        {"CidrIp": "198.51.100.0/24", "Description": "again"}], "Ipv6Ranges": [], "PrefixListIds": []}])

    out = ec2.revoke_security_group_ingress(GroupId=group.id, SecurityGroupRuleIds=[first])
    equal("revoked", out["Return"], True)
    refused("InvalidPermission.NotFound", group.revoke_ingress, "The specified rule does not exist in this security group.",
            IpProtocol="tcp", FromPort=8443, ToPort=8443, CidrIp="198.51.100.0/24")
    group.revoke_egress(IpPermissions=[{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.2/32"}]}])
    equal("references", ec2.describe_security_group_references(GroupId=[group.id])["SecurityGroupReferenceSet"], [])
    equal("stale", ec2.describe_stale_security_groups(VpcId=vpc.id)["StaleSecurityGroupSet"], [])

    names = {g.group_name for g in resource.security_groups.filter(Filters=filters(vpc_id=vpc.id))}
    equal("groups of the VPC", names, {"default", "web"})
    for i in range(6):
        vpc.create_security_group(GroupName=f"p{i}", Description="page")
    sizes = [len(p["SecurityGroups"]) for p in ec2.get_paginator("describe_security_groups").paginate(
        Filters=filters(vpc_id=vpc.id, description="page"), PaginationConfig={"PageSize": 5})]
    equal("pages of groups", sizes, [5, 1])
    for g in resource.security_groups.filter(Filters=filters(vpc_id=vpc.id, description="page")):
        g.delete()
    return group, prefixes


def prefix_lists(prefixes, group):
    ec2.modify_managed_prefix_list(PrefixListId=prefixes, CurrentVersion=1, AddEntries=[{"Cidr": "192.0.2.0/24", "Description": "new"}])
    entries = list(ec2.get_paginator("get_managed_prefix_list_entries").paginate(PrefixListId=prefixes, PaginationConfig={"PageSize": 1}).search("Entries[].Cidr"))
    equal("entries", sorted(entries), ["192.0.2.0/24", "203.0.113.0/24"])
    ec2.restore_managed_prefix_list_version(PrefixListId=prefixes, PreviousVersion=1, CurrentVersion=2)
    found = only(ec2.describe_managed_prefix_lists(PrefixListIds=[prefixes])["PrefixLists"])
    equal("the list", (found["Version"], found["MaxEntries"], found["PrefixListName"], found["Tags"]), (3, 3, "offices", []))
    equal("its users", ec2.get_managed_prefix_list_associations(PrefixListId=prefixes)["PrefixListAssociations"], [{"ResourceId": group.id, "ResourceOwner": "123456789012"}])
    refused("PrefixListVersionMismatch", ec2.modify_managed_prefix_list, "The prefix list has the incorrect version number.",
            PrefixListId=prefixes, CurrentVersion=1, AddEntries=[{"Cidr": "10.0.0.0/8"}])
    ec2.describe_prefix_lists()


def interfaces(subnet, group):
    eni = subnet.create_network_interface(Groups=[group.id], Description="first", PrivateIpAddress="10.0.1.20")
    ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[eni.id])
    eni.reload()
    equal("the interface", (eni.private_ip_address, eni.groups, eni.status, eni.tag_set), (
        "10.0.1.20", [{"GroupName": "web", "GroupId": group.id}], "available", []))
    equal("no attachment", eni.attachment, None)
    refused("DependencyViolation", group.delete)
    eni.modify_attribute(SourceDestCheck={"Value": False})
    equal("attribute", eni.describe_attribute(Attribute="sourceDestCheck")["SourceDestCheck"], {"Value": False})
    eni.reset_attribute(SourceDestCheck="true")
    assigned = ec2.assign_private_ip_addresses(NetworkInterfaceId=eni.id, SecondaryPrivateIpAddressCount=2)["AssignedPrivateIpAddresses"]
    equal("assigned", len(assigned), 2)
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni.id, PrivateIpAddresses=[a["PrivateIpAddress"] for a in assigned])
    six = ec2.assign_ipv6_addresses(NetworkInterfaceId=eni.id, Ipv6AddressCount=1)["AssignedIpv6Addresses"]
    equal("unassigned", ec2.unassign_ipv6_addresses(NetworkInterfaceId=eni.id, Ipv6Addresses=six)["UnassignedIpv6Addresses"], six)
    equal("by filter", [e.id for e in resource.network_interfaces.filter(Filters=filters(group_id=group.id, subnet_id=subnet.id))], [eni.id])
    return eni


def tags(group, subnet):
    resource.create_tags(Resources=[group.id, subnet.id], Tags=[{"Key": "team", "Value": "ü & co"}])
    found = ec2.describe_tags(Filters=filters(key="team"))["Tags"]
    equal("tags", sorted((t["ResourceType"], t["Value"]) for t in found), [("security-group", "ü & co"), ("subnet", "ü & co")])
    refused("InvalidParameterValue", group.create_tags, Tags=[{"Key": "aws:x", "Value": ""}])
    ec2.delete_tags(Resources=[subnet.id], Tags=[{"Key": "team"}])
    equal("by tag", [g.id for g in resource.security_groups.filter(Filters=filters(tag__team="ü*"))], [group.id])


def associations(group):
    """Since 2024: a group in a second VPC."""
    if not hasattr(ec2, "associate_security_group_vpc"):
        return
    other = resource.create_vpc(CidrBlock="10.2.0.0/16")
    ec2.associate_security_group_vpc(GroupId=group.id, VpcId=other.id)
    ec2.get_waiter("security_group_vpc_association_associated").wait(Filters=filters(group_id=group.id))
    equal("association", only(ec2.describe_security_group_vpc_associations()["SecurityGroupVpcAssociations"])["VpcId"], other.id)
    usable = ec2.get_paginator("get_security_groups_for_vpc").paginate(VpcId=other.id).search("SecurityGroupForVpcs[].GroupName")
    equal("usable groups", sorted(usable), ["default", "web"])
    ec2.disassociate_security_group_vpc(GroupId=group.id, VpcId=other.id)
    ec2.get_waiter("security_group_vpc_association_disassociated").wait(Filters=filters(group_id=group.id))
    other.delete()


def extras(made):
    """Keys, addresses, attributes and the catalogue."""
    ids = [made.id]
    assert ec2.describe_images(Owners=["amazon"])["Images"]
    assert ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"]
    assert ec2.describe_instance_type_offerings()["InstanceTypeOfferings"]
    key = ec2.create_key_pair(KeyName="new")
    assert key["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----"), key
    line = only(ec2.describe_key_pairs(KeyNames=["new"], IncludePublicKey=True)["KeyPairs"])["PublicKey"]
    ec2.import_key_pair(KeyName="again", PublicKeyMaterial=line.encode())
    ec2.delete_key_pair(KeyName="new")
    ec2.modify_instance_attribute(InstanceId=made.id, DisableApiStop={"Value": True})
    equal("protection", ec2.describe_instance_attribute(InstanceId=made.id, Attribute="disableApiStop")["DisableApiStop"]["Value"], True)
    ec2.reset_instance_attribute(InstanceId=made.id, Attribute="sourceDestCheck")
    ec2.modify_instance_metadata_options(InstanceId=made.id, HttpTokens="required")
    ec2.modify_instance_maintenance_options(InstanceId=made.id, AutoRecovery="disabled")
    ec2.modify_instance_credit_specification(InstanceCreditSpecifications=[{"InstanceId": made.id, "CpuCredits": "standard"}])
    equal("credits", only(ec2.describe_instance_credit_specifications(InstanceIds=ids)["InstanceCreditSpecifications"])["CpuCredits"], "standard")
    ec2.monitor_instances(InstanceIds=ids)
    ec2.unmonitor_instances(InstanceIds=ids)
    equal("status", only(ec2.describe_instance_status(InstanceIds=ids)["InstanceStatuses"])["InstanceStatus"]["Status"], "ok")
    volume = only(ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": ids}])["Volumes"])
    refused("VolumeInUse", ec2.delete_volume, VolumeId=volume["VolumeId"])
    spare = ec2.run_instances(ImageId=made.image_id, InstanceType="t3.micro", MinCount=1, MaxCount=1, BlockDeviceMappings=[
        {"DeviceName": made.root_device_name, "Ebs": {"DeleteOnTermination": False}}])["Instances"][0]["InstanceId"]
    eip = ec2.allocate_address(Domain="vpc")
    at = ec2.associate_address(AllocationId=eip["AllocationId"], InstanceId=spare)["AssociationId"]
    equal("address", only(ec2.describe_addresses(AllocationIds=[eip["AllocationId"]])["Addresses"])["InstanceId"], spare)
    equal("reverse names", ec2.describe_addresses_attribute()["Addresses"], [])
    ec2.disassociate_address(AssociationId=at)
    ec2.release_address(AllocationId=eip["AllocationId"])
    disk = only(ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [spare]}])["Volumes"])["VolumeId"]
    ec2.terminate_instances(InstanceIds=[spare])
    ec2.delete_volume(VolumeId=disk)


def instances(subnet, group, image):
    """A machine by the resource interface, with the waiters that it has."""
    made = only(subnet.create_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SecurityGroupIds=[group.id],
                TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "machine"}]}]))
    equal("state", made.state["Name"], "pending")
    made.wait_until_running()
    made.load()
    equal("groups", [g["GroupId"] for g in made.security_groups], [group.id])
    equal("tags", made.tags, [{"Key": "Name", "Value": "machine"}])
    second = subnet.create_network_interface()
    second.attach(InstanceId=made.id, DeviceIndex=1)
    second.load()
    equal("interfaces", len(resource.Instance(made.id).network_interfaces), 2)
    second.detach()
    second.delete()
    made.reboot()
    made.stop()
    made.wait_until_stopped()
    made.start()
    equal("found", [i.id for i in resource.instances.filter(Filters=filters(instance_state_name="running"))], [made.id])
    extras(made)
    made.terminate()
    made.wait_until_terminated()
    equal("interfaces left", [e.id for e in subnet.network_interfaces.filter(Filters=filters(group_id=group.id)) if e.attachment], [])


def networks():
    """What is around a VPC: gateways, routes, ACLs, DHCP options, endpoints, peerings."""
    a, b = (ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"] for block in ("10.61.0.0/16", "10.62.0.0/16"))
    subnet = ec2.create_subnet(VpcId=a, CidrBlock="10.61.1.0/24")["Subnet"]["SubnetId"]

    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=a)
    refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=b)

    tables = [ec2.create_route_table(VpcId=a)["RouteTable"]["RouteTableId"] for _ in range(2)]
    ec2.create_route(RouteTableId=tables[0], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.replace_route(RouteTableId=tables[0], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    association = ec2.associate_route_table(RouteTableId=tables[0], SubnetId=subnet)["AssociationId"]
    association = ec2.replace_route_table_association(AssociationId=association, RouteTableId=tables[1])["NewAssociationId"]
    ec2.disassociate_route_table(AssociationId=association)
    table = only(ec2.describe_route_tables(RouteTableIds=tables[:1])["RouteTables"])
    equal("routes", sorted((r["DestinationCidrBlock"], r["GatewayId"], r["State"]) for r in table["Routes"]),
          [("0.0.0.0/0", gateway, "active"), ("10.61.0.0/16", "local", "active")])
    ec2.delete_route(RouteTableId=tables[0], DestinationCidrBlock="0.0.0.0/0")
    for t in tables:
        ec2.delete_route_table(RouteTableId=t)

    acl = ec2.create_network_acl(VpcId=a)["NetworkAcl"]["NetworkAclId"]
    entry = dict(NetworkAclId=acl, RuleNumber=10, Egress=False)
    ec2.create_network_acl_entry(Protocol="-1", RuleAction="allow", CidrBlock="10.0.0.0/8", **entry)
    ec2.replace_network_acl_entry(Protocol="-1", RuleAction="deny", CidrBlock="10.0.0.0/8", **entry)
    before = only(ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"])
    old = only([x for x in before["Associations"] if x["SubnetId"] == subnet])["NetworkAclAssociationId"]
    new = ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)["NewAssociationId"]
    refused("DependencyViolation", ec2.delete_network_acl, NetworkAclId=acl)
    ec2.replace_network_acl_association(AssociationId=new, NetworkAclId=before["NetworkAclId"])
    ec2.delete_network_acl_entry(**entry)
    ec2.delete_network_acl(NetworkAclId=acl)

    options = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.com"]}])["DhcpOptions"]["DhcpOptionsId"]
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=a)
    equal("DHCP options", only(ec2.describe_vpcs(VpcIds=[a])["Vpcs"])["DhcpOptionsId"], options)
    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=a)
    equal("found", [o["DhcpOptionsId"] for o in ec2.describe_dhcp_options(DhcpOptionsIds=[options])["DhcpOptions"]], [options])
    ec2.delete_dhcp_options(DhcpOptionsId=options)

    service = f"com.amazonaws.{session.region_name}.s3"
    assert service in ec2.describe_vpc_endpoint_services()["ServiceNames"]
    endpoint = ec2.create_vpc_endpoint(VpcId=a, ServiceName=service)["VpcEndpoint"]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, ResetPolicy=True)
    equal("type", only(ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"])["VpcEndpointType"], "Gateway")
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])

    def peer():
        return ec2.create_vpc_peering_connection(VpcId=a, PeerVpcId=b)["VpcPeeringConnection"]["VpcPeeringConnectionId"]

    ec2.reject_vpc_peering_connection(VpcPeeringConnectionId=peer())
    peering = peer()
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    ec2.modify_vpc_peering_connection_options(VpcPeeringConnectionId=peering, RequesterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": True})
    equal("peering", only(ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])["VpcPeeringConnections"])["Status"]["Code"], "active")
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)

    # EC2-Classic is gone: a refusal is the answer.
    for ask, name in (("describe_vpc_classic_link", "DescribeVpcClassicLink"), ("describe_vpc_classic_link_dns_support", "DescribeVpcClassicLinkDnsSupport")):
        if hasattr(ec2, ask):
            refused("UnsupportedOperation", getattr(ec2, ask))
            answered.add(name)

    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=a)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_subnet(SubnetId=subnet)
    for v in (a, b):
        ec2.delete_vpc(VpcId=v)


def refusals(group):
    refused("InvalidGroup.NotFound", ec2.describe_security_groups, "The security group 'sg-0123456789abcdef0' does not exist", GroupIds=["sg-0123456789abcdef0"])
    refused("DryRunOperation", group.authorize_ingress, "Request would have succeeded, but DryRun flag is set.", status=412,
            IpProtocol="tcp", FromPort=1, ToPort=1, CidrIp="192.0.2.1/32", DryRun=True)
    equal("rules after a dry run", [p for p in resource.SecurityGroup(group.id).ip_permissions if p.get("FromPort") == 1], [])
    refused("InvalidParameterValue", ec2.describe_security_groups, "Value ( 1001 ) for parameter maxResults is invalid. Expecting a value smaller than 1000.", MaxResults=1001)
    refused("InvalidAction", ec2.describe_snapshots, "The action DescribeSnapshots is not valid for this web service.")
    stranger = boto3.Session("AKIAIOSFODNN7EXAMPLE", "x", region_name=session.region_name)
    refused("AuthFailure", stranger.client("ec2", endpoint_url=endpoint).describe_vpcs, "AWS was not able to validate the provided access credentials", status=401)
    refused("InvalidClientTokenId", stranger.client("sts", endpoint_url=endpoint).get_caller_identity, "The security token included in the request is invalid.", status=403)
    try:
        ec2.get_waiter("security_group_exists").wait(GroupIds=["sg-0123456789abcdef0"], WaiterConfig={"Delay": 0, "MaxAttempts": 3})
        raise AssertionError("a waiter finds what does not exist")
    except WaiterError:
        pass


def presigned(group):
    for method in ("GET", "POST"):
        url = ec2.generate_presigned_url("describe_security_groups", Params={"GroupIds": [group.id]}, HttpMethod=method)
        body = urllib.request.urlopen(urllib.request.Request(url, method=method)).read().decode()
        assert f"<groupId>{group.id}</groupId>" in body, body
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="POST" if method == "GET" else "GET"))
            raise AssertionError(f"a URL presigned for {method} works with another method")
        except urllib.error.HTTPError as e:
            equal("status", e.code, 401)


def cleanup(vpc, subnet, joined, group, eni, prefixes):
    refused("DependencyViolation", vpc.delete)
    eni.delete()
    group.delete()
    equal("second delete", refused("InvalidGroup.NotFound", group.delete), None)
    ec2.delete_managed_prefix_list(PrefixListId=prefixes)
    ec2.disassociate_subnet_cidr_block(AssociationId=joined["AssociationId"])
    subnet.delete()
    vpc.delete()

    default = only(resource.vpcs.filter(Filters=filters(isDefault="true")))
    subnets = list(default.subnets.all())
    zone = subnets[0].availability_zone
    for s in subnets:
        s.delete()
    ec2.create_default_subnet(AvailabilityZone=zone)
    only(default.subnets.all()).delete()
    for gateway in default.internet_gateways.all():
        gateway.detach_from_vpc(VpcId=default.id)
        gateway.delete()
    default.delete()
    equal("a new default VPC", no_meta(ec2.create_default_vpc())["Vpc"]["IsDefault"], True)


vpc, subnet, joined = places()
group, prefixes = groups(vpc)
prefix_lists(prefixes, group)
eni = interfaces(subnet, group)
tags(group, subnet)
associations(group)
instances(subnet, group, sys.argv[1])
networks()
refusals(group)
presigned(group)
cleanup(vpc, subnet, joined, group, eni, prefixes)

known = set(ec2.meta.service_model.operation_names) | set(sts.meta.service_model.operation_names)
wanted = set(sys.argv[2:])
print(json.dumps({"version": boto3.__version__, "missed": sorted(wanted & known - answered), "unknown": sorted(wanted - known), "called": len(wanted & answered)}))
