"""Uses boto3's resources around a security group, with what they refer to and
what refers to them, and every waiter of boto3 that looks at what Moat has.

    resources.py IMAGE

finds the server by AWS_ENDPOINT_URL and prints as JSON the waiters that this
boto3 knows and that were not used, and how many were. An answer that is not as
expected ends it with a traceback.
"""
import json
import os
import sys

import boto3
from botocore.exceptions import ClientError, WaiterError

endpoint = os.environ["AWS_ENDPOINT_URL"]
session = boto3.Session(region_name=os.environ["AWS_REGION"])
ec2 = session.client("ec2", endpoint_url=endpoint)
resource = session.resource("ec2", endpoint_url=endpoint)
image = sys.argv[1]
waited, gave_up = set(), set()

# What the other waiters look at is not served.
elsewhere = {
    "bundle_task_complete", "conversion_task_cancelled", "conversion_task_completed", "conversion_task_deleted", "customer_gateway_available",
    "export_task_cancelled", "export_task_completed", "image_usage_report_available", "nat_gateway_available", "nat_gateway_deleted",
    "password_data_available", "secondary_network_create_complete", "secondary_network_delete_complete", "secondary_subnet_create_complete",
    "secondary_subnet_delete_complete", "snapshot_completed", "snapshot_imported", "spot_instance_request_fulfilled", "store_image_task_complete",
    "vpn_connection_available", "vpn_connection_deleted",
}


def equal(what, got, want):
    assert got == want, f"{what} is {got!r}, want {want!r}"


def ids(items):
    return sorted(i.id for i in items)


def only(items):
    items = list(items)
    assert len(items) == 1, f"want one item, got {items!r}"
    return items[0]


def wait(name, **kwargs):
    """Ends at once, or after one more look."""
    if name in ec2.waiter_names:
        ec2.get_waiter(name).wait(WaiterConfig={"Delay": 1, "MaxAttempts": 5}, **kwargs)
        waited.add(name)


def waits_for_ever(name, **kwargs):
    """Neighbour of wait: what is not so, is not said to be."""
    if name in ec2.waiter_names:
        try:
            ec2.get_waiter(name).wait(WaiterConfig={"Delay": 0, "MaxAttempts": 2}, **kwargs)
        except WaiterError:
            gave_up.add(name)
            return
        raise AssertionError(f"the waiter {name} ends with {kwargs}")


def refused(code, call, *args, **kwargs):
    try:
        got = call(*args, **kwargs)
    except ClientError as e:
        equal("error code", e.response["Error"]["Code"], code)
        return
    raise AssertionError(f"it succeeds with {got!r}, want {code}")


# A VPC, and what hangs on it.
waits_for_ever("vpc_exists", VpcIds=["vpc-0123456789abcdef0"])
vpc = resource.create_vpc(CidrBlock="10.7.0.0/16")
vpc.wait_until_exists()
vpc.wait_until_available()
wait("vpc_exists", VpcIds=[vpc.id])
wait("vpc_available", VpcIds=[vpc.id])
vpc.create_tags(Tags=[{"Key": "Name", "Value": "seven"}])
vpc.modify_attribute(EnableDnsHostnames={"Value": True})
equal("attribute", vpc.describe_attribute(Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"], True)
vpc.reload()
equal("tags", vpc.tags, [{"Key": "Name", "Value": "seven"}])
equal("state", (vpc.state, vpc.is_default, vpc.instance_tenancy), ("available", False, "default"))
equal("default group", only(vpc.security_groups.all()).group_name, "default")
equal("default ACL", only(vpc.network_acls.all()).is_default, True)
main = only(vpc.route_tables.all())
equal("main table", main.associations_attribute[0]["Main"], True)

subnet = vpc.create_subnet(CidrBlock="10.7.1.0/24", AvailabilityZone="us-east-1b")
wait("subnet_available", SubnetIds=[subnet.id])
waits_for_ever("subnet_available", Filters=[{"Name": "subnet-id", "Values": ["subnet-0123456789abcdef0"]}])
equal("its VPC", subnet.vpc, vpc)
equal("subnets", ids(vpc.subnets.all()), [subnet.id])
equal("of it", (subnet.availability_zone, subnet.available_ip_address_count, subnet.map_public_ip_on_launch), ("us-east-1b", 251, False))

gateway = resource.create_internet_gateway()
wait("internet_gateway_exists", InternetGatewayIds=[gateway.id])
waits_for_ever("internet_gateway_exists", InternetGatewayIds=["igw-0123456789abcdef0"])
vpc.attach_internet_gateway(InternetGatewayId=gateway.id)
gateway.reload()
equal("attachments", gateway.attachments, [{"State": "available", "VpcId": vpc.id}])
equal("gateways", ids(vpc.internet_gateways.all()), [gateway.id])

table = vpc.create_route_table()
table.create_route(DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway.id)
table.reload()
route = only(r for r in table.routes if r.destination_cidr_block == "0.0.0.0/0")
equal("the route", (route.gateway_id, route.state, route.origin), (gateway.id, "active", "CreateRoute"))
equal("routes", sorted(r.destination_cidr_block for r in table.routes), ["0.0.0.0/0", "10.7.0.0/16"])
joined = table.associate_with_subnet(SubnetId=subnet.id)
table.reload()
equal("association", (only(table.associations).id, only(table.associations).subnet), (joined.id, subnet))
refused("DependencyViolation", table.delete)

acl = vpc.create_network_acl()
acl.create_entry(RuleNumber=100, Protocol="6", RuleAction="allow", Egress=False, CidrBlock="0.0.0.0/0", PortRange={"From": 22, "To": 22})
acl.replace_entry(RuleNumber=100, Protocol="6", RuleAction="deny", Egress=False, CidrBlock="0.0.0.0/0", PortRange={"From": 22, "To": 23})
acl.reload()
equal("entry", [(e["RuleAction"], e["PortRange"]["To"]) for e in acl.entries if e["RuleNumber"] == 100], [("deny", 23)])
default = only(a for a in vpc.network_acls.all() if a.is_default)
old = only(a["NetworkAclAssociationId"] for a in default.associations if a["SubnetId"] == subnet.id)
back = acl.replace_association(AssociationId=old)["NewAssociationId"]
default.replace_association(AssociationId=back)
acl.delete_entry(RuleNumber=100, Egress=False)
acl.delete()

options = resource.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.com"]}])
vpc.associate_dhcp_options(DhcpOptionsId=options.id)
vpc.reload()
equal("options", (vpc.dhcp_options, vpc.dhcp_options.dhcp_configurations), (options, [{"Key": "domain-name", "Values": [{"Value": "example.com"}]}]))

# Groups.
waits_for_ever("security_group_exists", GroupIds=["sg-0123456789abcdef0"])
web = vpc.create_security_group(GroupName="web", Description="web servers")
wait("security_group_exists", GroupIds=[web.id])
db = vpc.create_security_group(GroupName="db", Description="databases")
web.authorize_ingress(IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="0.0.0.0/0")
db.authorize_ingress(IpPermissions=[{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": web.id, "Description": "from web"}]}])
db.revoke_egress(IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
db.reload()
equal("rule", db.ip_permissions[0]["UserIdGroupPairs"], [{"Description": "from web", "GroupId": web.id, "UserId": "123456789012"}])
equal("egress", db.ip_permissions_egress, [])
db.authorize_egress(IpPermissions=[{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.7.0.0/16"}]}])
tag = db.create_tags(Tags=[{"Key": "team", "Value": "data"}])[0]
tag.delete()
db.reload()
equal("tags", db.tags or [], [])
refused("InvalidPermission.Duplicate", web.authorize_ingress, IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="0.0.0.0/0")
refused("DependencyViolation", web.delete)

# Keys, an instance, an address.
waits_for_ever("key_pair_exists", KeyNames=["operator"])
key = resource.create_key_pair(KeyName="operator")
assert "PRIVATE KEY" in key.key_material, key.key_material
wait("key_pair_exists", KeyNames=["operator"])
wait("image_exists", ImageIds=[image])
wait("image_available", ImageIds=[image])
waits_for_ever("image_exists", ImageIds=["ami-0123456789abcdef0"])
resource.Image(image).wait_until_exists()

waits_for_ever("instance_exists", InstanceIds=["i-0123456789abcdef0"])
machine = only(resource.create_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, KeyName="operator", SubnetId=subnet.id, SecurityGroupIds=[web.id]))
machine.wait_until_exists()
machine.wait_until_running()
for name in ("instance_exists", "instance_running", "instance_status_ok", "system_status_ok"):
    wait(name, InstanceIds=[machine.id])
waits_for_ever("instance_stopped", InstanceIds=[machine.id])
waits_for_ever("instance_terminated", InstanceIds=[machine.id])
machine.reload()
equal("it is in", (machine.vpc, machine.subnet, machine.key_pair.name, machine.image.id), (vpc, subnet, "operator", image))
equal("by its VPC and subnet", (ids(vpc.instances.all()), ids(subnet.instances.all())), ([machine.id], [machine.id]))
disk = only(machine.volumes.all())
wait("volume_in_use", VolumeIds=[disk.id])
waits_for_ever("volume_available", VolumeIds=[disk.id])
equal("disk", (disk.state, disk.attachments[0]["InstanceId"]), ("in-use", machine.id))

machine.modify_attribute(Groups=[web.id, db.id])
first = only(machine.network_interfaces)
first.reload()
equal("groups of the interface", sorted(g["GroupId"] for g in first.groups), sorted([web.id, db.id]))
machine.modify_attribute(Groups=[web.id])
machine.modify_attribute(SourceDestCheck={"Value": False})
machine.reset_source_dest_check()
machine.monitor()
machine.unmonitor()

lease = ec2.allocate_address(Domain="vpc")
address = resource.VpcAddress(lease["AllocationId"])
address.associate(InstanceId=machine.id)
address.reload()
machine.reload()
equal("public address", (machine.public_ip_address, address.instance_id), (lease["PublicIp"], machine.id))
equal("addresses of it", [a.allocation_id for a in machine.vpc_addresses.all()], [address.allocation_id])
equal("association", (address.association.public_ip, only(machine.network_interfaces).association_attribute["PublicIp"]), (lease["PublicIp"], lease["PublicIp"]))
address.association.delete()
address.release()

# An interface of its own.
spare = subnet.create_network_interface(Groups=[db.id], Description="spare")
wait("network_interface_available", NetworkInterfaceIds=[spare.id])
waits_for_ever("network_interface_available", NetworkInterfaceIds=[first.id])
equal("it is in", (spare.vpc, spare.subnet, spare.interface_type), (vpc, subnet, "interface"))
spare.assign_private_ip_addresses(PrivateIpAddresses=["10.7.1.77"])
spare.reload()
equal("addresses", [a["PrivateIpAddress"] for a in spare.private_ip_addresses if not a["Primary"]], ["10.7.1.77"])
spare.unassign_private_ip_addresses(PrivateIpAddresses=["10.7.1.77"])
equal("interfaces", ids(vpc.network_interfaces.all()), sorted([first.id, spare.id]))
attachment = spare.attach(InstanceId=machine.id, DeviceIndex=1)["AttachmentId"]
spare.reload()
equal("attachment", (spare.attachment["AttachmentId"], spare.status), (attachment, "in-use"))
spare.detach()
wait("network_interface_available", NetworkInterfaceIds=[spare.id])

# A peering.
waits_for_ever("vpc_peering_connection_exists", VpcPeeringConnectionIds=["pcx-0123456789abcdef0"])
other = resource.create_vpc(CidrBlock="10.8.0.0/16")
peering = vpc.request_vpc_peering_connection(PeerVpcId=other.id)
peering.wait_until_exists()
wait("vpc_peering_connection_exists", VpcPeeringConnectionIds=[peering.id])
peering.accept()
peering.reload()
equal("peering", (peering.status["Code"], peering.requester_vpc, peering.accepter_vpc), ("active", vpc, other))
equal("peerings", (ids(vpc.requested_vpc_peering_connections.all()), ids(other.accepted_vpc_peering_connections.all())), ([peering.id], [peering.id]))
waits_for_ever("vpc_peering_connection_deleted", VpcPeeringConnectionIds=[peering.id])
peering.delete()
wait("vpc_peering_connection_deleted", VpcPeeringConnectionIds=[peering.id])
other.delete()

# All of it goes, in AWS's order.
resource.instances.filter(InstanceIds=[machine.id]).stop()
machine.wait_until_stopped()
wait("instance_stopped", InstanceIds=[machine.id])
waits_for_ever("instance_running", InstanceIds=[machine.id])
machine.start()
machine.wait_until_running()
refused("DependencyViolation", vpc.delete)
waits_for_ever("volume_deleted", VolumeIds=[disk.id])
kept = only(resource.create_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet.id, BlockDeviceMappings=[
    {"DeviceName": machine.root_device_name, "Ebs": {"DeleteOnTermination": False}}]))
kept.wait_until_running()
left = only(kept.volumes.all())
resource.instances.filter(InstanceIds=[machine.id, kept.id]).terminate()
machine.wait_until_terminated()
wait("instance_terminated", InstanceIds=[machine.id, kept.id])
wait("volume_deleted", VolumeIds=[disk.id])
wait("volume_available", VolumeIds=[left.id])
left.delete()
key.delete()
spare.delete()
db.delete()
web.delete()
only(table.associations).delete()
table.delete()
gateway.detach_from_vpc(VpcId=vpc.id)
gateway.delete()
subnet.delete()
vpc.associate_dhcp_options(DhcpOptionsId="default")
options.delete()
vpc.delete()
waits_for_ever("vpc_exists", VpcIds=[vpc.id])
equal("instances left", ids(resource.instances.filter(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])), [])

print(json.dumps({"version": boto3.__version__, "waiters": len(waited), "missed": sorted(set(ec2.waiter_names) - waited - elsewhere)}))
