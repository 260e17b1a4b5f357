// Uses the AWS SDK for JavaScript, version 3, around a security group: create,
// describe, authorize, revoke, delete, errors, paging, a waiter.
//
//	node sdk.mjs DIRECTORY
//
// takes the SDK from DIRECTORY/node_modules, and the server and the keys from
// the environment, as the SDK does by itself. An answer that is not as expected
// ends it with an AssertionError.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.argv[2], 'x.js'))
const sdk = require('@aws-sdk/client-ec2')
const ec2 = new sdk.EC2({})

// refused wants an exception with that code and status, at the first attempt.
async function refused(code, call, message, status = 400) {
  await assert.rejects(call, (e) => {
    assert.equal(e.name, code)
    assert.equal(e.Code, code)
    assert.equal(e.$metadata.httpStatusCode, status)
    assert.equal(e.$metadata.attempts, 1)
    assert.match(e.$metadata.requestId, /^[0-9a-f-]{36}$/)
    if (message) assert.equal(e.message, message)
    return true
  })
}

const { Vpc: vpc } = await ec2.createVpc({
  CidrBlock: '10.3.0.0/16',
  TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'Name', Value: 'ü & co' }] }],
})
assert.deepEqual(vpc.Tags, [{ Key: 'Name', Value: 'ü & co' }])
await sdk.waitUntilVpcAvailable({ client: ec2, maxWaitTime: 10, minDelay: 1 }, { VpcIds: [vpc.VpcId] })

const { GroupId: web } = await ec2.createSecurityGroup({ GroupName: 'web', Description: 'web servers', VpcId: vpc.VpcId })
const { GroupId: db } = await ec2.createSecurityGroup({ GroupName: 'db', Description: 'databases', VpcId: vpc.VpcId })
await sdk.waitUntilSecurityGroupExists({ client: ec2, maxWaitTime: 10, minDelay: 1 }, { GroupIds: [web, db] })
const allowed = await ec2.authorizeSecurityGroupIngress({
  GroupId: db,
  IpPermissions: [
    { IpProtocol: 'tcp', FromPort: 5432, ToPort: 5432, UserIdGroupPairs: [{ GroupId: web, Description: 'from web & co' }] },
    { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '192.0.2.7/24' }], Ipv6Ranges: [{ CidrIpv6: '2001:db8::/32' }] },
  ],
})
assert.equal(allowed.Return, true)
assert.equal(allowed.SecurityGroupRules.length, 3)
assert.equal(allowed.SecurityGroupRules[0].ReferencedGroupInfo.GroupId, web)

const group = (await ec2.describeSecurityGroups({ GroupIds: [db] })).SecurityGroups[0]
const ssh = group.IpPermissions.find((p) => p.FromPort === 22)
assert.deepEqual(ssh.IpRanges, [{ CidrIp: '192.0.2.0/24' }])
assert.deepEqual(ssh.Ipv6Ranges, [{ CidrIpv6: '2001:db8::/32' }])
assert.equal(group.IpPermissions.find((p) => p.FromPort === 5432).UserIdGroupPairs[0].Description, 'from web & co')
assert.equal(group.IpPermissionsEgress[0].IpProtocol, '-1')
assert.equal(group.IpPermissionsEgress[0].FromPort, undefined)

const { SecurityGroupRules: rules } = await ec2.describeSecurityGroupRules({ Filters: [{ Name: 'group-id', Values: [db] }] })
const four = rules.find((r) => r.CidrIpv4 === '192.0.2.0/24')
assert.deepEqual([four.IsEgress, four.FromPort, four.GroupOwnerId], [false, 22, '123456789012'])
await ec2.modifySecurityGroupRules({ GroupId: db, SecurityGroupRules: [{ SecurityGroupRuleId: four.SecurityGroupRuleId,
  SecurityGroupRule: { IpProtocol: 'tcp', FromPort: 22, ToPort: 23, CidrIpv4: '198.51.100.0/24' } }] })
await ec2.updateSecurityGroupRuleDescriptionsIngress({ GroupId: db, SecurityGroupRuleDescriptions: [{ SecurityGroupRuleId: four.SecurityGroupRuleId, Description: 'office' }] })
const after = (await ec2.describeSecurityGroupRules({ SecurityGroupRuleIds: [four.SecurityGroupRuleId] })).SecurityGroupRules[0]
assert.deepEqual([after.CidrIpv4, after.ToPort, after.Description], ['198.51.100.0/24', 23, 'office'])
await ec2.revokeSecurityGroupIngress({ GroupId: db, SecurityGroupRuleIds: [four.SecurityGroupRuleId] })
await ec2.revokeSecurityGroupEgress({ GroupId: db, IpPermissions: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }] })
await ec2.authorizeSecurityGroupEgress({ GroupId: db, IpPermissions: [{ IpProtocol: 'icmp', FromPort: 8, ToPort: -1, IpRanges: [{ CidrIp: '10.0.0.0/8' }] }] })
const left = (await ec2.describeSecurityGroups({ GroupIds: [db] })).SecurityGroups[0]
assert.deepEqual(left.IpPermissions.map((p) => p.FromPort).sort((a, b) => a - b), [22, 5432])
assert.deepEqual(left.IpPermissionsEgress.map((p) => [p.IpProtocol, p.FromPort, p.ToPort]), [['icmp', 8, -1]])

// Paging: each page has its size, and together they have every group once. The
// SDK leaves its token in what it is given, so that each use gets a copy.
for (let i = 0; i < 12; i++) await ec2.createSecurityGroup({ GroupName: `p${i}`, Description: 'page', VpcId: vpc.VpcId })
const sizes = []
const names = new Set()
const inPages = { Filters: [{ Name: 'description', Values: ['page'] }, { Name: 'vpc-id', Values: [vpc.VpcId] }] }
for await (const { SecurityGroups: groups } of sdk.paginateDescribeSecurityGroups({ client: ec2, pageSize: 5 }, { ...inPages })) {
  sizes.push(groups.length)
  for (const g of groups) names.add(g.GroupName)
}
assert.deepEqual(sizes, [5, 5, 2])
assert.equal(names.size, 12)

// Refusals.
await refused('InvalidGroup.NotFound', () => ec2.describeSecurityGroups({ GroupIds: ['sg-0123456789abcdef0'] }), "The security group 'sg-0123456789abcdef0' does not exist")
await refused('InvalidPermission.Duplicate', () => ec2.authorizeSecurityGroupIngress({ GroupId: db,
  IpPermissions: [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, Ipv6Ranges: [{ CidrIpv6: '2001:db8::/32' }] }] }))
await refused('InvalidGroup.Duplicate', () => ec2.createSecurityGroup({ GroupName: 'web', Description: 'again', VpcId: vpc.VpcId }))
await refused('DependencyViolation', () => ec2.deleteSecurityGroup({ GroupId: web }))
await refused('DryRunOperation', () => ec2.deleteSecurityGroup({ GroupId: db, DryRun: true }), 'Request would have succeeded, but DryRun flag is set.', 412)
await refused('InvalidParameterValue', () => ec2.describeSecurityGroups({ MaxResults: 1001 }))
const stranger = new sdk.EC2({ credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'x' } })
await refused('AuthFailure', () => stranger.describeVpcs({}), 'AWS was not able to validate the provided access credentials', 401)

// Concurrent calls on one client: of the same rule one is the first.
const race = await Promise.allSettled(Array.from({ length: 8 }, () => ec2.authorizeSecurityGroupIngress({ GroupId: web,
  IpPermissions: [{ IpProtocol: 'udp', FromPort: 53, ToPort: 53, IpRanges: [{ CidrIp: '0.0.0.0/0' }] }] })))
assert.equal(race.filter((r) => r.status === 'fulfilled').length, 1)
assert.ok(race.every((r) => r.status === 'fulfilled' || r.reason.name === 'InvalidPermission.Duplicate'))

// It goes, and is gone.
await ec2.createTags({ Resources: [db], Tags: [{ Key: 'empty', Value: '' }] })
assert.deepEqual((await ec2.describeTags({ Filters: [{ Name: 'resource-id', Values: [db] }] })).Tags.map((t) => [t.Key, t.Value, t.ResourceType]), [['empty', '', 'security-group']])
for (const id of [db, web]) assert.equal((await ec2.deleteSecurityGroup({ GroupId: id })).Return, true)
for await (const { SecurityGroups: groups } of sdk.paginateDescribeSecurityGroups({ client: ec2 }, { ...inPages })) {
  for (const g of groups) await ec2.deleteSecurityGroup({ GroupId: g.GroupId })
}
await refused('InvalidGroup.NotFound', () => ec2.deleteSecurityGroup({ GroupId: db }))
await ec2.deleteVpc({ VpcId: vpc.VpcId })
await refused('InvalidVpcID.NotFound', () => ec2.describeVpcs({ VpcIds: [vpc.VpcId] }))
console.log(require('@aws-sdk/client-ec2/package.json').version)
