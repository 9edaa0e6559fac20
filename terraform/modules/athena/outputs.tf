output "workgroup" {
  description = "The workgroup's name."
  value       = aws_athena_workgroup.this.name
}

output "arn" {
  description = "The workgroup's ARN."
  value       = aws_athena_workgroup.this.arn
}
