# Uses fog-aws around a security group: create, describe, authorize, revoke,
# delete, errors. It finds the server and the keys by the environment; an answer
# that is not as expected ends it with an exception.
require 'fog/aws'

def equal(what, got, want)
  raise "#{what} is #{got.inspect}, want #{want.inspect}" unless got == want
end

# fog has a class for what does not exist; other errors carry the end of the code
# and message.
def refused(kind, text)
  got = yield
rescue kind => e
  raise "the error is #{e.message.inspect}, want #{text.inspect} in it" unless e.message.include?(text)
else
  raise "it succeeds with #{got.inspect}, want #{text}"
end

ec2 = Fog::AWS::Compute.new(
  endpoint: ENV.fetch('AWS_ENDPOINT_URL') + '/', region: ENV.fetch('AWS_REGION'),
  aws_access_key_id: ENV.fetch('AWS_ACCESS_KEY_ID'), aws_secret_access_key: ENV.fetch('AWS_SECRET_ACCESS_KEY')
)
Fog.interval = 0.2
Fog.timeout = 20

vpc = ec2.vpcs.create(cidr_block: '10.4.0.0/16')
vpc.wait_for { ready? }
subnet = ec2.subnets.create(vpc_id: vpc.id, cidr_block: '10.4.1.0/24', availability_zone: 'us-east-1a')
subnet.wait_for { ready? }

web = ec2.security_groups.create(name: 'web', description: 'web & co', vpc_id: vpc.id)
db = ec2.security_groups.create(name: 'db', description: 'databases', vpc_id: vpc.id)
web.authorize_port_range(443..443, cidr_ip: '0.0.0.0/0')
web.authorize_port_range(443..443, cidr_ipv6: '::/0')
db.reload # from here it knows its owner
db.authorize_port_range(5432..5433, group: web.group_id)
db.authorize_port_range(53..53, ip_protocol: 'udp', cidr_ip: '10.0.0.0/8', direction: 'egress')
ec2.create_tags(db.group_id, 'team' => 'data')

found = ec2.security_groups.get_by_id(db.group_id)
rule = found.ip_permissions.first
equal('rules', found.ip_permissions.length, 1)
equal('the rule', [rule['ipProtocol'], rule['fromPort'], rule['toPort'], rule['groups'].map { |g| g['groupId'] }], ['tcp', 5432, 5433, [web.group_id]])
equal('outbound', found.ip_permissions_egress.map { |p| p['ipProtocol'] }.sort, ['-1', 'udp'])
equal('the group', [found.name, found.description, found.vpc_id, found.owner_id, found.tags], ['db', 'databases', vpc.id, '123456789012', { 'team' => 'data' }])
equal('by filter', ec2.security_groups.all('vpc-id' => vpc.id).map(&:name).sort, %w[db default web])
equal('by tag', ec2.security_groups.all('tag:team' => 'd?ta').map(&:name), ['db'])
ranges = ec2.security_groups.get_by_id(web.group_id).ip_permissions.first
equal('ranges', [ranges['ipRanges'], ranges['ipv6Ranges']], [[{ 'cidrIp' => '0.0.0.0/0' }], [{ 'cidrIpv6' => '::/0' }]])

# Requests as fog's users make them beside the models.
answer = ec2.describe_security_groups('group-id' => [web.group_id])
equal('status', answer.status, 200)
equal('described', answer.body['securityGroupInfo'].map { |g| g['groupId'] }, [web.group_id])
ec2.authorize_security_group_ingress('GroupId' => web.group_id, 'IpPermissions' => [
  { 'IpProtocol' => 'icmp', 'FromPort' => 8, 'ToPort' => -1, 'IpRanges' => [{ 'CidrIp' => '192.0.2.0/24' }] }
])
equal('with ICMP', ec2.security_groups.get_by_id(web.group_id).ip_permissions.map { |p| [p['ipProtocol'], p['fromPort']] }.sort, [['icmp', 8], ['tcp', 443]])

# An interface with both groups, which are then in use.
eni = ec2.network_interfaces.create(subnet_id: subnet.subnet_id, group_set: [web.group_id, db.group_id], description: 'first')
equal('groups of the interface', ec2.network_interfaces.get(eni.network_interface_id).group_set.keys.sort, [web.group_id, db.group_id].sort)

missing = 'sg-0123456789abcdef0'
equal('one that is not there', ec2.security_groups.get_by_id(missing), nil)
refused(Fog::AWS::Compute::NotFound, "The security group '#{missing}' does not exist") { ec2.delete_security_group(nil, missing) }
refused(Fog::AWS::Compute::Error, 'Duplicate => the specified rule') { web.authorize_port_range(443..443, cidr_ip: '0.0.0.0/0') }
refused(Fog::AWS::Compute::Error, "Duplicate => The security group 'web' already exists") { ec2.security_groups.create(name: 'web', description: 'again', vpc_id: vpc.id) }
refused(Fog::AWS::Compute::Error, 'DependencyViolation => ') { ec2.delete_security_group(nil, web.group_id) }
stranger = Fog::AWS::Compute.new(endpoint: ENV.fetch('AWS_ENDPOINT_URL') + '/', region: ENV.fetch('AWS_REGION'), aws_access_key_id: 'AKIAIOSFODNN7EXAMPLE', aws_secret_access_key: 'x')
refused(Fog::AWS::Compute::Error, 'AuthFailure => AWS was not able to validate') { stranger.describe_vpcs }

# It goes, and is gone.
web.revoke_port_range(443..443, cidr_ip: '0.0.0.0/0')
equal('after a revoke', ec2.security_groups.get_by_id(web.group_id).ip_permissions.find { |p| p['ipProtocol'] == 'tcp' }.values_at('ipRanges', 'ipv6Ranges'), [[], [{ 'cidrIpv6' => '::/0' }]])
db.revoke_port_range(5432..5433, group: web.group_id)
equal('rules left', ec2.security_groups.get_by_id(db.group_id).ip_permissions, [])
eni.destroy
ec2.delete_security_group(nil, db.group_id)
ec2.delete_security_group(nil, web.group_id)
equal('groups left', ec2.security_groups.all('vpc-id' => vpc.id).map(&:name), ['default'])
subnet.destroy
vpc.destroy
equal('the VPC', ec2.vpcs.get(vpc.id), nil)
puts Fog::AWS::VERSION
