"""Takes permissions away at one server and looks for them at another.

    revoke.py ENDPOINT ENDPOINT ROUNDS

prints as JSON, for each way of taking something away, how many milliseconds
passed from the first server's answer until the other one had refused. The
very first call after that answer must be refused: anything else ends it with
a traceback.
"""
import json
import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

first, second, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
session = boto3.Session(region_name=os.environ["AWS_REGION"])
once = Config(retries={"max_attempts": 1, "mode": "standard"})


def client(service, endpoint, credentials=None):
    keys = {}
    if credentials:
        keys = {"aws_access_key_id": credentials["AccessKeyId"], "aws_secret_access_key": credentials["SecretAccessKey"],
                "aws_session_token": credentials.get("SessionToken")}
    return session.client(service, endpoint_url=endpoint, config=once, **keys)


iam = client("iam", first)
account = client("sts", first).get_caller_identity()["Account"]
ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ec2:*", "sts:AssumeRole"], "Resource": "*"}]})
NOTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}]})
EC2 = "arn:aws:iam::aws:policy/AmazonEC2FullAccess"

iam.create_policy(PolicyName="all", PolicyDocument=ALL)
own = f"arn:aws:iam::{account}:policy/all"
iam.create_policy_version(PolicyArn=own, PolicyDocument=NOTHING, SetAsDefault=False)
iam.create_policy(PolicyName="nothing", PolicyDocument=NOTHING)
nothing = f"arn:aws:iam::{account}:policy/nothing"
iam.create_group(GroupName="all")
iam.put_group_policy(GroupName="all", PolicyName="all", PolicyDocument=ALL)

took = {}
serial = 0


def refused(what, call, codes, **kwargs):
    began = time.monotonic()
    try:
        call(**kwargs)
    except ClientError as e:
        assert e.response["Error"]["Code"] in codes, f"{what}: {e}"
        return time.monotonic() - began
    raise AssertionError(f"{what}: the other server still answers")


NOBODY = ("AuthFailure", "InvalidClientTokenId")
DENIED = ("UnauthorizedOperation",)


def revoke(what, codes, make, take):
    """make gives credentials that may call EC2, take takes that away."""
    global serial
    serial += 1
    user = f"u{serial}"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    credentials = make(user, key)
    ec2, sts = client("ec2", second, credentials), client("sts", second, credentials)
    ec2.describe_vpcs()  # it may, and the other server knows it
    ec2.describe_security_groups()
    sts.get_caller_identity()
    take(user, key)
    # A write first in every other round, so that both ways are the first.
    calls = [(ec2.describe_vpcs, {}), (ec2.create_security_group, {"GroupName": user, "Description": "must not be"})]
    if serial % 2:
        calls.reverse()
    for n, (call, kwargs) in enumerate(calls):
        passed = refused(what, call, codes, **kwargs)
        if n == 0:
            took.setdefault(what, []).append(1000 * passed)
    if codes is NOBODY:
        refused(what, sts.get_caller_identity, codes)


def with_inline(user, key):
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=ALL)
    return key


def with_attached(user, key, arn=EC2):
    iam.attach_user_policy(UserName=user, PolicyArn=arn)
    return key


def in_group(user, key):
    iam.add_user_to_group(GroupName="all", UserName=user)
    return key


def as_role(user, key):
    with_inline(user, key)
    iam.create_role(RoleName=user, AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName=user, PolicyArn=EC2)
    return client("sts", first, key).assume_role(RoleArn=f"arn:aws:iam::{account}:role/{user}", RoleSessionName="s1")["Credentials"]


def as_session(user, key):
    with_inline(user, key)
    return client("sts", first, key).get_session_token()["Credentials"]


def key_off(user, key):
    iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Inactive")


def key_gone(user, key):
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])


def role_gone(user, key):
    iam.detach_role_policy(RoleName=user, PolicyArn=EC2)
    iam.delete_role(RoleName=user)


def other_version(user, key):
    iam.set_default_policy_version(PolicyArn=own, VersionId="v2")


for _ in range(rounds):
    revoke("update-access-key Inactive", NOBODY, with_inline, key_off)
    revoke("delete-access-key", NOBODY, with_inline, key_gone)
    revoke("delete-user-policy", DENIED, with_inline, lambda u, k: iam.delete_user_policy(UserName=u, PolicyName="all"))
    revoke("put-user-policy that denies", DENIED, with_inline, lambda u, k: iam.put_user_policy(UserName=u, PolicyName="no", PolicyDocument=ALL.replace("Allow", "Deny")))
    revoke("detach-user-policy", DENIED, with_attached, lambda u, k: iam.detach_user_policy(UserName=u, PolicyArn=EC2))
    revoke("remove-user-from-group", DENIED, in_group, lambda u, k: iam.remove_user_from_group(GroupName="all", UserName=u))
    revoke("put-user-permissions-boundary", DENIED, with_inline, lambda u, k: iam.put_user_permissions_boundary(UserName=u, PermissionsBoundary=nothing))
    revoke("set-default-policy-version", DENIED, lambda u, k: with_attached(u, k, own), other_version)
    iam.set_default_policy_version(PolicyArn=own, VersionId="v1")
    revoke("detach-role-policy, of a session", DENIED, as_role, lambda u, k: iam.detach_role_policy(RoleName=u, PolicyArn=EC2))
    revoke("delete-role, of a session", NOBODY, as_role, role_gone)
    revoke("delete-access-key, of a role's session", NOBODY, as_role, key_gone)
    revoke("update-access-key Inactive, of a user's session", NOBODY, as_session, key_off)
    revoke("delete-user-policy, of a user's session", DENIED, as_session, lambda u, k: iam.delete_user_policy(UserName=u, PolicyName="all"))

groups = client("ec2", second).describe_security_groups(Filters=[{"Name": "description", "Values": ["must not be"]}])["SecurityGroups"]
assert not groups, groups
print(json.dumps(took))
