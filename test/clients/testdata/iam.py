"""Calls every action of IAM and STS that this boto3 knows.

    iam.py ACTION...

finds the server by AWS_ENDPOINT_URL, and prints as JSON which of the actions
it called and which this boto3 lacks. An answer that is not as expected ends
it with a traceback.
"""
import json
import os
import sys

import boto3
from botocore.exceptions import ClientError

endpoint = os.environ["AWS_ENDPOINT_URL"]
region = os.environ["AWS_REGION"]
answered = set()


def note(http_response, model, **_):
    if http_response.status_code == 200:
        answered.add(model.name)


def client(service, credentials=None):
    keys = {}
    if credentials:
        keys = {"aws_access_key_id": credentials["AccessKeyId"], "aws_secret_access_key": credentials["SecretAccessKey"],
                "aws_session_token": credentials.get("SessionToken")}
    c = boto3.Session(region_name=region, **keys).client(service, endpoint_url=endpoint)
    c.meta.events.register("after-call", note)
    return c


iam, sts = client("iam"), client("sts")


def equal(what, got, want):
    assert got == want, f"{what} is {got!r}, want {want!r}"


def refused(code, call, message=None, **kwargs):
    try:
        got = call(**kwargs)
    except ClientError as e:
        equal("error code", e.response["Error"]["Code"], code)
        if message is not None:
            equal("message", e.response["Error"]["Message"], message)
        return e.response["Error"]["Message"]
    raise AssertionError(f"{call.__name__} succeeds with {got!r}, want {code}")


def names(items, key):
    return [i[key] for i in items]


def policy(action, effect="Allow", resource="*"):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource}]})


def trust(principal):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": ["sts:AssumeRole", "sts:TagSession"]}]})


account = sts.get_caller_identity()["Account"]


def users():
    u = iam.create_user(UserName="Alice", Path="/people/", Tags=[{"Key": "team", "Value": "web"}])["User"]
    equal("ARN", u["Arn"], f"arn:aws:iam::{account}:user/people/Alice")
    equal("tags", u["Tags"], [{"Key": "team", "Value": "web"}])
    assert u["UserId"].startswith("AIDA") and len(u["UserId"]) == 21, u["UserId"]
    refused("EntityAlreadyExists", iam.create_user, "User with name alice already exists.", UserName="alice")
    refused("ValidationError", iam.create_user, "1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+", UserName="a b")
    refused("NoSuchEntity", iam.get_user, "The user with name Bob cannot be found.", UserName="Bob")
    equal("user", iam.get_user(UserName="Alice")["User"]["UserId"], u["UserId"])
    iam.tag_user(UserName="Alice", Tags=[{"Key": "Team", "Value": "db"}, {"Key": "a", "Value": ""}])
    equal("tags", iam.list_user_tags(UserName="Alice")["Tags"], [{"Key": "Team", "Value": "db"}, {"Key": "a", "Value": ""}])
    iam.untag_user(UserName="Alice", TagKeys=["TEAM"])
    equal("tags", iam.list_user_tags(UserName="Alice")["Tags"], [{"Key": "a", "Value": ""}])
    for n in range(5):
        iam.create_user(UserName=f"u{n}")
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2}))
    equal("pages", [names(p["Users"], "UserName") for p in pages], [["Alice", "u0"], ["u1", "u2"], ["u3", "u4"]])
    equal("by path", names(iam.list_users(PathPrefix="/people/")["Users"], "UserName"), ["Alice"])
    iam.update_user(UserName="u4", NewUserName="v4", NewPath="/x/")
    refused("NoSuchEntity", iam.get_user, UserName="u4")
    equal("moved", iam.get_user(UserName="v4")["User"]["Arn"], f"arn:aws:iam::{account}:user/x/v4")
    iam.delete_user(UserName="v4")


def keys():
    k = iam.create_access_key(UserName="Alice")["AccessKey"]
    assert len(k["AccessKeyId"]) == 20 and len(k["SecretAccessKey"]) == 40, k
    equal("status", k["Status"], "Active")
    equal("who", client("sts", k).get_caller_identity()["Arn"], f"arn:aws:iam::{account}:user/people/Alice")
    equal("account of the key", sts.get_access_key_info(AccessKeyId=k["AccessKeyId"])["Account"], account)
    used = iam.get_access_key_last_used(AccessKeyId=k["AccessKeyId"])
    equal("service", used["AccessKeyLastUsed"]["ServiceName"], "sts")
    iam.update_access_key(UserName="Alice", AccessKeyId=k["AccessKeyId"], Status="Inactive")
    refused("InvalidClientTokenId", client("sts", k).get_caller_identity, "The security token included in the request is invalid.")
    equal("keys", [(m["AccessKeyId"], m["Status"]) for m in iam.list_access_keys(UserName="Alice")["AccessKeyMetadata"]], [(k["AccessKeyId"], "Inactive")])
    iam.delete_access_key(UserName="Alice", AccessKeyId=k["AccessKeyId"])
    return iam.create_access_key(UserName="Alice")["AccessKey"]


def groups():
    iam.create_group(GroupName="web", Path="/teams/")
    iam.update_group(GroupName="web", NewGroupName="Webs")
    iam.add_user_to_group(GroupName="Webs", UserName="Alice")
    g = iam.get_group(GroupName="Webs")
    equal("users", names(g["Users"], "UserName"), ["Alice"])
    equal("ARN", g["Group"]["Arn"], f"arn:aws:iam::{account}:group/teams/Webs")
    equal("groups", names(iam.list_groups()["Groups"], "GroupName"), ["Webs"])
    equal("groups", names(iam.list_groups_for_user(UserName="Alice")["Groups"], "GroupName"), ["Webs"])


def policies():
    p = iam.create_policy(PolicyName="read", PolicyDocument=policy("ec2:Describe*"), Description="reads", Tags=[{"Key": "k", "Value": "v"}])["Policy"]
    arn = p["Arn"]
    equal("ARN", arn, f"arn:aws:iam::{account}:policy/read")
    refused("EntityAlreadyExists", iam.create_policy, "A policy called read already exists. Duplicate names are not allowed.", PolicyName="read", PolicyDocument=policy("*"))
    refused("MalformedPolicyDocument", iam.create_policy, PolicyName="bad", PolicyDocument="{")
    for n in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(f"ec2:Describe{n}"), SetAsDefault=n == 0)
    refused("LimitExceeded", iam.create_policy_version, PolicyArn=arn, PolicyDocument=policy("*"))
    equal("versions", [(v["VersionId"], v["IsDefaultVersion"]) for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]],
          [("v5", False), ("v4", False), ("v3", False), ("v2", True), ("v1", False)])
    equal("document", iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]["Statement"][0]["Action"], "ec2:Describe*")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    refused("DeleteConflict", iam.delete_policy_version, "Cannot delete the default version of a policy.", PolicyArn=arn, VersionId="v1")
    for v in ("v2", "v3", "v4", "v5"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=v)
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "k2", "Value": "v"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["k"])
    equal("tags", iam.list_policy_tags(PolicyArn=arn)["Tags"], [{"Key": "k2", "Value": "v"}])
    iam.attach_user_policy(UserName="Alice", PolicyArn=arn)
    iam.attach_group_policy(GroupName="Webs", PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
    refused("NoSuchEntity", iam.attach_user_policy, f"Policy arn:aws:iam::{account}:policy/none does not exist or is not attachable.", UserName="Alice", PolicyArn=f"arn:aws:iam::{account}:policy/none")
    equal("attached", iam.list_attached_user_policies(UserName="Alice")["AttachedPolicies"], [{"PolicyName": "read", "PolicyArn": arn}])
    equal("attached", names(iam.list_attached_group_policies(GroupName="Webs")["AttachedPolicies"], "PolicyName"), ["AmazonEC2ReadOnlyAccess"])
    equal("count", iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"], 1)
    equal("entities", names(iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"], "UserName"), ["Alice"])
    equal("local", names(iam.list_policies(Scope="Local")["Policies"], "PolicyName"), ["read"])
    aws = names(iam.list_policies(Scope="AWS")["Policies"], "PolicyName")
    for name in ("AdministratorAccess", "AmazonEC2FullAccess", "AmazonEC2ReadOnlyAccess", "AmazonVPCFullAccess", "ReadOnlyAccess"):
        assert name in aws, aws
    refused("DeleteConflict", iam.delete_policy, "Cannot delete a policy attached to entities.", PolicyArn=arn)
    iam.put_user_policy(UserName="Alice", PolicyName="inline", PolicyDocument=policy("sts:AssumeRole"))
    equal("inline", iam.get_user_policy(UserName="Alice", PolicyName="inline")["PolicyDocument"]["Statement"][0]["Action"], "sts:AssumeRole")
    equal("inline", iam.list_user_policies(UserName="Alice")["PolicyNames"], ["inline"])
    iam.put_group_policy(GroupName="Webs", PolicyName="inline", PolicyDocument=policy("iam:GetUser"))
    iam.get_group_policy(GroupName="Webs", PolicyName="inline")
    equal("inline", iam.list_group_policies(GroupName="Webs")["PolicyNames"], ["inline"])
    refused("LimitExceeded", iam.put_user_policy, "Maximum policy size of 2048 bytes exceeded for user Alice", UserName="Alice", PolicyName="long", PolicyDocument=policy(["ec2:" + "x" * 90 + str(i) for i in range(25)]))
    iam.put_user_permissions_boundary(UserName="Alice", PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
    equal("boundary", iam.get_user(UserName="Alice")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"], "arn:aws:iam::aws:policy/AdministratorAccess")
    return arn


def roles(alice, arn):
    r = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{account}:root"), Description="deploys", MaxSessionDuration=7200)["Role"]
    equal("ARN", r["Arn"], f"arn:aws:iam::{account}:role/deploy")
    equal("trust", iam.get_role(RoleName="deploy")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"], {"AWS": f"arn:aws:iam::{account}:root"})
    equal("roles", names(iam.list_roles()["Roles"], "RoleName"), ["deploy"])
    iam.attach_role_policy(RoleName="deploy", PolicyArn=arn)
    equal("attached", names(iam.list_attached_role_policies(RoleName="deploy")["AttachedPolicies"], "PolicyName"), ["read"])
    iam.put_role_policy(RoleName="deploy", PolicyName="inline", PolicyDocument=policy("sts:DecodeAuthorizationMessage"))
    iam.get_role_policy(RoleName="deploy", PolicyName="inline")
    equal("inline", iam.list_role_policies(RoleName="deploy")["PolicyNames"], ["inline"])
    iam.tag_role(RoleName="deploy", Tags=[{"Key": "env", "Value": "prod"}])
    equal("tags", iam.list_role_tags(RoleName="deploy")["Tags"], [{"Key": "env", "Value": "prod"}])
    iam.update_role(RoleName="deploy", Description="", MaxSessionDuration=3600)
    iam.update_role_description(RoleName="deploy", Description="ships")
    equal("role", (iam.get_role(RoleName="deploy")["Role"]["Description"], iam.get_role(RoleName="deploy")["Role"]["MaxSessionDuration"]), ("ships", 3600))
    iam.put_role_permissions_boundary(RoleName="deploy", PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")

    who = client("sts", alice)
    got = who.assume_role(RoleArn=r["Arn"], RoleSessionName="s1")
    session = got["Credentials"]
    equal("session", client("sts", session).get_caller_identity()["Arn"], f"arn:aws:sts::{account}:assumed-role/deploy/s1")
    ec2 = client("ec2", session)
    ec2.describe_vpcs()
    message = refused("UnauthorizedOperation", ec2.create_security_group, GroupName="x", Description="x")
    encoded = message.split("Encoded authorization failure message: ")[1]
    decoded = json.loads(client("sts", session).decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    equal("decoded", decoded["context"]["action"], "ec2:CreateSecurityGroup")
    token = who.get_session_token()["Credentials"]
    equal("session", client("sts", token).get_caller_identity()["Arn"], f"arn:aws:iam::{account}:user/people/Alice")

    p = iam.create_instance_profile(InstanceProfileName="deploy", Tags=[{"Key": "a", "Value": "b"}])["InstanceProfile"]
    assert p["InstanceProfileId"].startswith("AIPA"), p
    iam.add_role_to_instance_profile(InstanceProfileName="deploy", RoleName="deploy")
    equal("role", names(iam.get_instance_profile(InstanceProfileName="deploy")["InstanceProfile"]["Roles"], "RoleName"), ["deploy"])
    equal("profiles", names(iam.list_instance_profiles()["InstanceProfiles"], "InstanceProfileName"), ["deploy"])
    equal("profiles", names(iam.list_instance_profiles_for_role(RoleName="deploy")["InstanceProfiles"], "InstanceProfileName"), ["deploy"])
    iam.tag_instance_profile(InstanceProfileName="deploy", Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_instance_profile(InstanceProfileName="deploy", TagKeys=["a"])
    equal("tags", iam.list_instance_profile_tags(InstanceProfileName="deploy")["Tags"], [{"Key": "c", "Value": "d"}])
    refused("DeleteConflict", iam.delete_role, "Cannot delete entity, must remove roles from instance profile first.", RoleName="deploy")


def simulate(arn):
    alice = f"arn:aws:iam::{account}:user/people/Alice"
    results = iam.simulate_principal_policy(PolicySourceArn=alice, ActionNames=["ec2:DescribeVpcs", "ec2:RunInstances"])["EvaluationResults"]
    equal("decisions", names(results, "EvalDecision"), ["allowed", "implicitDeny"])
    equal("statement", results[0]["MatchedStatements"][0]["SourcePolicyId"], "read")
    cond = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": {"StringEquals": {"ec2:Region": "us-east-1"}}}]})
    one = iam.simulate_custom_policy(PolicyInputList=[cond], ActionNames=["ec2:RunInstances"])["EvaluationResults"][0]
    equal("without the key", (one["EvalDecision"], one["MissingContextValues"]), ("implicitDeny", ["ec2:Region"]))
    one = iam.simulate_custom_policy(PolicyInputList=[cond, policy("ec2:RunInstances", "Deny", "arn:aws:ec2:*:*:instance/*")], ActionNames=["ec2:RunInstances"], ResourceArns=["arn:aws:ec2:us-east-1:1:instance/i-1"],
                                     ContextEntries=[{"ContextKeyName": "ec2:Region", "ContextKeyValues": ["us-east-1"], "ContextKeyType": "string"}])["EvaluationResults"][0]
    equal("denied", one["EvalDecision"], "explicitDeny")
    equal("keys", iam.get_context_keys_for_custom_policy(PolicyInputList=[cond])["ContextKeyNames"], ["ec2:Region"])
    iam.get_context_keys_for_principal_policy(PolicySourceArn=alice)


def account_wide():
    iam.create_account_alias(AccountAlias="our-lab")
    equal("alias", iam.list_account_aliases()["AccountAliases"], ["our-lab"])
    iam.delete_account_alias(AccountAlias="our-lab")
    summary = iam.get_account_summary()["SummaryMap"]
    equal("summary", (summary["Users"], summary["Groups"], summary["Roles"], summary["Policies"], summary["UsersQuota"]), (5, 1, 1, 1, 5000))
    details = iam.get_account_authorization_details()
    user = details["UserDetailList"][0]
    equal("details", (user["UserName"], user["GroupList"], names(user["AttachedManagedPolicies"], "PolicyName"), names(user["UserPolicyList"], "PolicyName")), ("Alice", ["Webs"], ["read"], ["inline"]))
    equal("roles", names(details["RoleDetailList"], "RoleName"), ["deploy"])
    assert "read" in names(details["Policies"], "PolicyName"), details["Policies"]


def tear_down(alice, arn):
    refused("DeleteConflict", iam.delete_user, UserName="Alice")
    iam.delete_user_permissions_boundary(UserName="Alice")
    iam.delete_user_policy(UserName="Alice", PolicyName="inline")
    iam.detach_user_policy(UserName="Alice", PolicyArn=arn)
    iam.remove_user_from_group(GroupName="Webs", UserName="Alice")
    refused("DeleteConflict", iam.delete_user, "Cannot delete entity, must delete access keys first.", UserName="Alice")
    iam.delete_access_key(UserName="Alice", AccessKeyId=alice["AccessKeyId"])
    iam.delete_user(UserName="Alice")
    iam.delete_group_policy(GroupName="Webs", PolicyName="inline")
    iam.detach_group_policy(GroupName="Webs", PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
    iam.delete_group(GroupName="Webs")
    iam.remove_role_from_instance_profile(InstanceProfileName="deploy", RoleName="deploy")
    iam.delete_instance_profile(InstanceProfileName="deploy")
    iam.untag_role(RoleName="deploy", TagKeys=["env"])
    iam.update_assume_role_policy(RoleName="deploy", PolicyDocument=trust(account))
    iam.delete_role_permissions_boundary(RoleName="deploy")
    iam.delete_role_policy(RoleName="deploy", PolicyName="inline")
    iam.detach_role_policy(RoleName="deploy", PolicyArn=arn)
    iam.delete_role(RoleName="deploy")
    iam.delete_policy(PolicyArn=arn)
    refused("NoSuchEntity", iam.get_policy, f"Policy {arn} was not found.", PolicyArn=arn)


users()
alice = keys()
groups()
arn = policies()
roles(alice, arn)
simulate(arn)
account_wide()
tear_down(alice, arn)

wanted = set(sys.argv[1:])
known = set(iam.meta.service_model.operation_names) | set(sts.meta.service_model.operation_names)
print(json.dumps({"version": boto3.__version__, "missed": sorted(wanted & known - answered), "unknown": sorted(wanted - known), "called": len(wanted & answered)}))
