terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {}

# The second step changes every resource that can be changed in place.
variable "step" {
  type    = string
  default = "first"
}

locals {
  second = var.step == "second"
}

data "aws_caller_identity" "me" {}
data "aws_region" "here" {}
data "aws_availability_zones" "all" {
  state = "available"
}
data "aws_prefix_list" "s3" {
  name = "com.amazonaws.${data.aws_region.here.name}.s3"
}
data "aws_ami" "image" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "architecture"
    values = ["x86_64"]
  }
}

resource "aws_vpc" "main" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = local.second
  tags                 = { Name = "main", Step = var.step }
}

resource "aws_vpc" "peer" {
  cidr_block = "10.30.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.20.1.0/24"
  availability_zone       = data.aws_availability_zones.all.names[0]
  map_public_ip_on_launch = local.second
  tags                    = { Step = var.step }
}

resource "aws_internet_gateway" "out" {
  vpc_id = aws_vpc.main.id
  tags   = { Step = var.step }
}

resource "aws_route_table" "out" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = local.second ? "192.0.2.0/24" : "0.0.0.0/0"
    gateway_id = aws_internet_gateway.out.id
  }
  tags = { Step = var.step }
}

resource "aws_route_table_association" "a" {
  subnet_id      = aws_subnet.a.id
  route_table_id = aws_route_table.out.id
}

resource "aws_default_security_group" "main" {
  vpc_id = aws_vpc.main.id
  ingress {
    protocol  = "-1"
    self      = true
    from_port = 0
    to_port   = 0
  }
  tags = { Step = var.step }
}

resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "offices-${var.step}"
  address_family = "IPv4"
  max_entries    = 5
  entry {
    cidr        = "198.51.100.0/24"
    description = "north"
  }
  # Provider 5.100 cannot change the description of an entry that it keeps: it
  # sends the version from before its own removal, which EC2 refuses
  # (hashicorp/terraform-provider-aws 43661).
  entry {
    cidr        = local.second ? "192.0.2.0/25" : "192.0.2.128/25"
    description = var.step
  }
  tags = { Step = var.step }
}

resource "aws_ec2_managed_prefix_list" "guests" {
  name           = "guests"
  address_family = "IPv4"
  max_entries    = local.second ? 6 : 5
}

resource "aws_ec2_managed_prefix_list_entry" "guest" {
  prefix_list_id = aws_ec2_managed_prefix_list.guests.id
  cidr           = "203.0.113.0/24"
  description    = "guests"
}

resource "aws_security_group" "inline" {
  name        = "inline"
  description = "rules in the group"
  vpc_id      = aws_vpc.main.id
  ingress {
    description      = "web"
    protocol         = "tcp"
    from_port        = local.second ? 8443 : 443
    to_port          = local.second ? 8443 : 443
    cidr_blocks      = ["0.0.0.0/0"]
    ipv6_cidr_blocks = ["::/0"]
  }
  ingress {
    protocol        = "tcp"
    from_port       = 22
    to_port         = 22
    prefix_list_ids = [aws_ec2_managed_prefix_list.offices.id]
    self            = true
  }
  ingress {
    protocol    = "icmp"
    from_port   = 8
    to_port     = -1
    cidr_blocks = ["10.20.0.0/16"]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
  tags = { Step = var.step }
}

resource "aws_security_group" "rules" {
  name_prefix = "rules-"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group_rule" "ssh" {
  security_group_id = aws_security_group.rules.id
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_blocks       = ["192.0.2.0/24", "198.51.100.0/24"]
  description       = "ssh ${var.step}"
}

resource "aws_security_group_rule" "from_inline" {
  security_group_id        = aws_security_group.rules.id
  type                     = "egress"
  protocol                 = "udp"
  from_port                = 53
  to_port                  = 53
  source_security_group_id = aws_security_group.inline.id
}

resource "aws_security_group" "single" {
  name   = "single"
  vpc_id = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "web" {
  security_group_id = aws_security_group.single.id
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = local.second ? 81 : 80
  cidr_ipv4         = "0.0.0.0/0"
  description       = "web ${var.step}"
  tags              = { Step = var.step }
}

resource "aws_vpc_security_group_ingress_rule" "list" {
  security_group_id = aws_security_group.single.id
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
  prefix_list_id    = aws_ec2_managed_prefix_list.guests.id
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.single.id
  ip_protocol       = "-1"
  cidr_ipv6         = "::/0"
  tags              = { Step = var.step }
}

resource "aws_vpc_security_group_egress_rule" "group" {
  security_group_id            = aws_security_group.single.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.inline.id
}

resource "aws_network_interface" "eth" {
  subnet_id         = aws_subnet.a.id
  private_ips       = local.second ? ["10.20.1.20", "10.20.1.21"] : ["10.20.1.20"]
  security_groups   = [aws_security_group.inline.id]
  source_dest_check = !local.second
  description       = var.step
  tags              = { Step = var.step }
  lifecycle {
    ignore_changes = [security_groups] # the attachment adds to them
  }
}

resource "aws_network_interface_sg_attachment" "eth" {
  security_group_id    = aws_security_group.rules.id
  network_interface_id = aws_network_interface.eth.id
}

resource "aws_key_pair" "ops" {
  key_name   = "ops"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBSBFVIGE2YtSuVFIAfhE2YmIMX0gXDI4+ptq2J8jW8B ops"
  tags       = { Step = var.step }
  lifecycle {
    ignore_changes = [public_key] # no answer of EC2's has it for an import
  }
}

resource "aws_instance" "web" {
  ami                    = data.aws_ami.image.id
  instance_type          = local.second ? "t3.small" : "t3.micro"
  subnet_id              = aws_subnet.a.id
  vpc_security_group_ids = local.second ? [aws_security_group.inline.id, aws_security_group.single.id] : [aws_security_group.inline.id]
  key_name               = aws_key_pair.ops.key_name
  user_data              = "#!/bin/sh\necho hello\n"
  tags                   = { Name = "web", Step = var.step }
}

resource "aws_eip" "web" {
  domain   = "vpc"
  instance = aws_instance.web.id
  tags     = { Step = var.step }
}

resource "aws_vpc_peering_connection" "pair" {
  vpc_id      = aws_vpc.main.id
  peer_vpc_id = aws_vpc.peer.id
  auto_accept = true
  tags        = { Step = var.step }
  lifecycle {
    ignore_changes = [auto_accept] # the provider's own, in no answer for an import
  }
}

data "aws_security_group" "inline" {
  id = aws_security_group.inline.id
}
data "aws_security_groups" "all" {
  filter {
    name   = "vpc-id"
    values = [aws_vpc.main.id]
  }
  depends_on = [aws_security_group.inline, aws_security_group.rules, aws_security_group.single]
}
data "aws_vpc" "main" {
  id = aws_vpc.main.id
}
data "aws_vpcs" "all" {
  depends_on = [aws_vpc.main, aws_vpc.peer]
}
data "aws_subnet" "a" {
  id = aws_subnet.a.id
}
data "aws_subnets" "a" {
  filter {
    name   = "vpc-id"
    values = [aws_vpc.main.id]
  }
  depends_on = [aws_subnet.a]
}

output "account" {
  value = data.aws_caller_identity.me.account_id
}
output "groups" {
  value = length(data.aws_security_groups.all.ids)
}
