output "steps" {
  description = "The roles' ARNs, by step."
  value       = { for step, one in aws_iam_role.step : step => one.arn }
}

output "execution" {
  description = "What starts containers."
  value       = aws_iam_role.execution.arn
}

output "orchestrator" {
  description = "What Airflow runs as."
  value       = aws_iam_role.orchestrator.arn
}

output "reader" {
  description = "The policy of those who read."
  value       = aws_iam_policy.reader.arn
}
