output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "isolated" {
  description = "Where the steps run that ask no exchange: subnets and security groups."
  value = {
    subnets         = [for one in aws_subnet.isolated : one.id]
    security_groups = [aws_security_group.isolated.id]
  }
}

output "egress" {
  description = "Where the steps run that ask an exchange; the isolated place where there is no way out."
  value = {
    subnets         = [for one in(var.internet_egress ? aws_subnet.egress : aws_subnet.isolated) : one.id]
    security_groups = var.internet_egress ? aws_security_group.egress[*].id : [aws_security_group.isolated.id]
  }
}
