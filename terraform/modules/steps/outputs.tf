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

output "family_prefix" {
  description = "What the task definitions' names start with, before a hyphen and the step."
  value       = var.name
}

output "container" {
  description = "What the step's container is called in each of them."
  value       = local.container
}

output "logs_group" {
  description = "The steps' log groups, with {step} for the step."
  value       = "${local.logs_folder}/{step}"
}

output "logs_prefix" {
  description = "What the names of log streams start with."
  value       = local.logs_prefix
}
