output "env" {
  description = "What .env takes: terraform output -raw env > .env"
  value       = join("", [for name, value in merge(local.settings, local.ecs_settings) : "${name}=${value}\n"])
}

output "ecs" {
  description = "Where each step runs and as what."
  value = {
    cluster         = module.steps.cluster
    execution_role  = module.roles.execution
    step_roles      = module.roles.steps
    task_definition = module.steps.task_definitions
    log_groups      = module.steps.log_groups
    container       = module.steps.container
    network         = local.step_networks
  }
}

output "buckets" {
  description = "The buckets, by purpose."
  value = {
    lake    = module.lake.name
    logs    = module.logs.name
    results = module.results.name
    replica = one(module.replica[*].name)
  }
}

output "repositories" {
  description = "Where images are pushed."
  value       = module.registry.urls
}

output "registry" {
  description = "What make images REGISTRY= takes, for images that are pushed."
  value       = module.registry.prefix
}

output "orchestrator_role" {
  description = "What Airflow runs as."
  value       = module.roles.orchestrator
}

output "reader_policy" {
  description = "What is attached to the roles of people who read."
  value       = module.roles.reader
}

output "workgroup" {
  description = "Where Athena queries are run."
  value       = module.athena.workgroup
}

output "topic" {
  description = "What alarms are sent to."
  value       = module.alarms.topic_arn
}
