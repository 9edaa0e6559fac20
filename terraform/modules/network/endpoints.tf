locals {
  route_tables = concat([aws_route_table.isolated.id], aws_route_table.egress[*].id)
}

# Through this endpoint nobody writes to other buckets than ours, whatever credentials it found. It is the way to this
# region's S3; isolated subnets have no other way to any S3. Egress subnets reach another region's through the NAT
# gateway, but for the DNS firewall, which resolves this region's names only: see egress.tf for what that leaves.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = local.route_tables
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OurBuckets"
        Effect    = "Allow"
        Principal = "*"
        Action = [
          "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket",
          "s3:PutObject",
        ]
        Resource = flatten([for arn in var.own_bucket_arns : [arn, "${arn}/*"]])
      },
      {
        Sid       = "TheArchive"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject", "s3:ListBucket"]
        Resource  = ["arn:${var.partition}:s3:::${var.archive_bucket}", "arn:${var.partition}:s3:::${var.archive_bucket}/*"]
      },
      {
        Sid       = "LayersOfImages"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject"]
        Resource  = ["arn:${var.partition}:s3:::prod-${var.region}-starport-layer-bucket/*"]
      },
    ]
  })

  tags = { Name = "${var.name}-s3" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "AWS services within the network"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id = aws_security_group.endpoints.id
  description       = "Steps"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = toset(var.interface_endpoints)
  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.value}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for one in aws_subnet.isolated : one.id]
  security_group_ids  = [aws_security_group.endpoints.id]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OurAccount"
      Effect    = "Allow"
      Principal = "*"
      Action    = "${split(".", each.value)[0]}:*"
      Resource  = "*"
      Condition = { StringEquals = { "aws:PrincipalAccount" = var.account_id } }
    }]
  })

  tags = { Name = "${var.name}-${each.value}" }
}
