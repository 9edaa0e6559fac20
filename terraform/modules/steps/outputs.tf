output "cluster" {
  description = "The cluster's name."
  value       = aws_ecs_cluster.this.name
}

output "cluster_arn" {
  description = "The cluster's ARN."
  value       = aws_ecs_cluster.this.arn
}

output "task_definitions" {
  description = "The steps' task definitions, with revision."
  value       = { for step, one in aws_ecs_task_definition.step : step => one.arn }
}

output "log_groups" {
  description = "The steps' log groups."
  value       = { for step, one in aws_cloudwatch_log_group.step : step => one.name }
}
