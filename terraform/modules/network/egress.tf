resource "aws_subnet" "egress" {
  for_each          = var.internet_egress ? local.egress : {}
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.name}-egress-${each.key}" }
}

resource "aws_subnet" "public" {
  for_each          = var.internet_egress ? local.public : {}
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_internet_gateway" "this" {
  count  = var.internet_egress ? 1 : 0
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_route_table" "public" {
  count  = var.internet_egress ? 1 : 0
  vpc_id = aws_vpc.this.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this[0].id
  }

  tags = { Name = "${var.name}-public" }
}

resource "aws_route_table_association" "public" {
  for_each       = aws_subnet.public
  subnet_id      = each.value.id
  route_table_id = aws_route_table.public[0].id
}

# One for all zones: the steps that ask an exchange can wait for a zone to come back, and a second gateway costs as much as the first.
resource "aws_eip" "nat" {
  count  = var.internet_egress ? 1 : 0
  domain = "vpc"

  tags = { Name = "${var.name}-nat" }
}

resource "aws_nat_gateway" "this" {
  count         = var.internet_egress ? 1 : 0
  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[var.zones[0]].id
  depends_on    = [aws_internet_gateway.this]

  tags = { Name = var.name }
}

resource "aws_route_table" "egress" {
  count  = var.internet_egress ? 1 : 0
  vpc_id = aws_vpc.this.id

  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.this[0].id
  }

  tags = { Name = "${var.name}-egress" }
}

resource "aws_route_table_association" "egress" {
  for_each       = aws_subnet.egress
  subnet_id      = each.value.id
  route_table_id = aws_route_table.egress[0].id
}

resource "aws_security_group" "egress" {
  #checkov:skip=CKV2_AWS_5: Given to tasks when they are started, which Terraform does not do; expires 2027-11-30
  count       = var.internet_egress ? 1 : 0
  name        = "${var.name}-egress"
  description = "Steps that ask the exchange"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_egress_rule" "egress_https" {
  count             = var.internet_egress ? 1 : 0
  security_group_id = aws_security_group.egress[0].id
  description       = "The exchange, whose addresses change; the DNS firewall says which names"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

locals {
  # Of AWS, this region's services alone: with a NAT gateway another region's S3 would lie open to whoever has keys of
  # its own. The archive is asked by its region's old name, which is not among the region's own.
  aws_names = [
    "*.${var.region}.amazonaws.com.",
    "*.${var.region}.compute.internal.",
    "s3-${var.archive_region}.amazonaws.com.",
  ]
}

# Names that are not on the list do not resolve. What knows an address needs no name, and this region's other services
# keep theirs: this stops accidents and common exfiltration, not a determined program, for which AWS Network Firewall is
# the (dearer) answer.
resource "aws_route53_resolver_firewall_domain_list" "allowed" {
  count   = var.dns_allow_list ? 1 : 0
  name    = "${var.name}-allowed"
  domains = concat(local.aws_names, [for host in var.egress_hosts : "${host}."])
}

resource "aws_route53_resolver_firewall_domain_list" "all" {
  count   = var.dns_allow_list ? 1 : 0
  name    = "${var.name}-all"
  domains = ["*."]
}

resource "aws_route53_resolver_firewall_rule_group" "this" {
  count = var.dns_allow_list ? 1 : 0
  name  = var.name
}

resource "aws_route53_resolver_firewall_rule" "allow" {
  count                   = var.dns_allow_list ? 1 : 0
  name                    = "allow-known-names"
  action                  = "ALLOW"
  priority                = 100
  firewall_rule_group_id  = aws_route53_resolver_firewall_rule_group.this[0].id
  firewall_domain_list_id = aws_route53_resolver_firewall_domain_list.allowed[0].id

  # Exchanges are aliases of names of their content networks, which change and are on no list.
  firewall_domain_redirection_action = "TRUST_REDIRECTION_DOMAIN"
}

resource "aws_route53_resolver_firewall_rule" "block" {
  count                   = var.dns_allow_list ? 1 : 0
  name                    = "block-all-others"
  action                  = "BLOCK"
  block_response          = "NXDOMAIN"
  priority                = 200
  firewall_rule_group_id  = aws_route53_resolver_firewall_rule_group.this[0].id
  firewall_domain_list_id = aws_route53_resolver_firewall_domain_list.all[0].id
}

resource "aws_route53_resolver_firewall_rule_group_association" "this" {
  count                  = var.dns_allow_list ? 1 : 0
  name                   = var.name
  firewall_rule_group_id = aws_route53_resolver_firewall_rule_group.this[0].id
  priority               = 101
  vpc_id                 = aws_vpc.this.id
}
