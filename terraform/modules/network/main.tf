# Two kinds of subnets. Isolated ones reach AWS through endpoints and nothing else: most steps run there.
# Egress ones have a NAT gateway, for the steps that ask an exchange.

locals {
  # A quarter of the addresses for each kind; the last is left over.
  isolated = { for number, zone in var.zones : zone => cidrsubnet(cidrsubnet(var.cidr, 2, 0), 2, number) }
  egress   = { for number, zone in var.zones : zone => cidrsubnet(cidrsubnet(var.cidr, 2, 1), 2, number) }
  public   = { for number, zone in var.zones : zone => cidrsubnet(cidrsubnet(var.cidr, 2, 2), 2, number) }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = var.name }
}

# Nothing may use it: what forgets to choose its security group reaches nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "isolated" {
  for_each          = local.isolated
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.name}-isolated-${each.key}" }
}

resource "aws_route_table" "isolated" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-isolated" }
}

resource "aws_route_table_association" "isolated" {
  for_each       = aws_subnet.isolated
  subnet_id      = each.value.id
  route_table_id = aws_route_table.isolated.id
}

resource "aws_security_group" "isolated" {
  #checkov:skip=CKV2_AWS_5: Given to tasks when they are started, which Terraform does not do; expires 2027-11-30
  name        = "${var.name}-isolated"
  description = "Steps that reach AWS only"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_egress_rule" "isolated_endpoints" {
  security_group_id            = aws_security_group.isolated.id
  description                  = "AWS through the network's endpoints"
  referenced_security_group_id = aws_security_group.endpoints.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "isolated_s3" {
  security_group_id = aws_security_group.isolated.id
  description       = "S3 through its endpoint"
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
