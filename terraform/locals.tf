data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  name       = "${var.project}-${var.environment}"
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  tags = {
    Project     = var.project
    Environment = var.environment
    Deployment  = local.name
    ManagedBy   = "terraform"
  }

  # Names of buckets are the world's: the account makes them ours.
  lake_bucket    = "${local.name}-lake-${local.account_id}"
  logs_bucket    = "${local.name}-logs-${local.account_id}"
  results_bucket = "${local.name}-results-${local.account_id}"
  replica_bucket = "${local.name}-replica-${local.account_id}"
  lake_uri       = "s3://${local.lake_bucket}"

  # Sizes that Fargate sells. Conform needs memory for a batch and room for its inputs, and so does a repair, which makes
  # partitions again; scrub and collect hold the list of all files; the others wait for the network.
  default_size = { cpu = 512, memory = 2048, storage_gib = 21 }
  step_sizes = {
    pull    = { cpu = 1024, memory = 2048, storage_gib = 50 }
    delta   = { cpu = 512, memory = 1024, storage_gib = 21 }
    conform = { cpu = 4096, memory = 16384, storage_gib = 100 }
    build   = { cpu = 2048, memory = 8192, storage_gib = 50 }
    gate    = { cpu = 2048, memory = 8192, storage_gib = 50 }
    scrub   = { cpu = 1024, memory = 4096, storage_gib = 21 }
    repair  = { cpu = 4096, memory = 16384, storage_gib = 100 }
    collect = { cpu = 1024, memory = 4096, storage_gib = 21 }
  }
  steps = {
    for step, verb in var.verbs : step => merge(
      { image = verb.image },
      try(local.step_sizes[step], local.default_size),
      try(var.steps[step], {}),
    )
  }

  # The steps that ask an exchange run where the internet can be reached; all others are isolated.
  exchange_steps = [for step, verb in var.verbs : step if verb.reach == "exchange"]
  step_networks = {
    for step in keys(var.verbs) :
    step => contains(local.exchange_steps, step) ? module.network.egress : module.network.isolated
  }

  # What every process of the lakehouse is told, steps and Airflow alike.
  settings = {
    CRYPTO_LAKEHOUSE_ARCHIVE__BUCKET            = var.archive.bucket
    CRYPTO_LAKEHOUSE_ARCHIVE__REGION            = var.archive.region
    CRYPTO_LAKEHOUSE_CATALOG__GLUE_DATABASE     = module.glue.database
    CRYPTO_LAKEHOUSE_CATALOG__KIND              = "glue"
    CRYPTO_LAKEHOUSE_CATALOG__REGION            = var.region
    CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED          = tostring(var.internet_egress)
    CRYPTO_LAKEHOUSE_LAKE                       = local.lake_uri
    CRYPTO_LAKEHOUSE_MAINTENANCE__EVIDENCE_DAYS = tostring(var.run_days)
    CRYPTO_LAKEHOUSE_MAINTENANCE__SCRUB_DAYS    = tostring(var.scrub_days)
    CRYPTO_LAKEHOUSE_STORAGE__REGION            = var.region
  }

  # What Airflow is told beside: where it starts steps. A step's task definition is prefix, hyphen and its name.
  ecs_settings = merge({
    CRYPTO_LAKEHOUSE_RUNNER               = "ecs"
    CRYPTO_LAKEHOUSE_ECS__CLUSTER         = module.steps.cluster
    CRYPTO_LAKEHOUSE_ECS__CONTAINER_NAME  = module.steps.container
    CRYPTO_LAKEHOUSE_ECS__FAMILY_PREFIX   = module.steps.family_prefix
    CRYPTO_LAKEHOUSE_ECS__LOGS_GROUP      = module.steps.logs_group
    CRYPTO_LAKEHOUSE_ECS__LOGS_PREFIX     = module.steps.logs_prefix
    CRYPTO_LAKEHOUSE_ECS__REGION          = var.region
    CRYPTO_LAKEHOUSE_ECS__SECURITY_GROUPS = join(",", module.network.isolated.security_groups)
    CRYPTO_LAKEHOUSE_ECS__SPOT            = join(",", sort(var.spot_steps))
    CRYPTO_LAKEHOUSE_ECS__SUBNETS         = join(",", module.network.isolated.subnets)
    }, merge([
      for step in local.exchange_steps : {
        "CRYPTO_LAKEHOUSE_ECS__NETWORKS__${upper(step)}__SECURITY_GROUPS" = join(",", module.network.egress.security_groups)
        "CRYPTO_LAKEHOUSE_ECS__NETWORKS__${upper(step)}__SUBNETS"         = join(",", module.network.egress.subnets)
      }
  ]...))
}
