output "arns" {
  description = "The secrets' ARNs, by name."
  value       = { for name, one in aws_secretsmanager_secret.this : name => one.arn }
}
