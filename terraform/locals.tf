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

  # Sizes that Fargate sells. Conform needs memory for a batch and room for its inputs; the others wait for the network.
  default_steps = {
    plan    = { image = "polars", cpu = 512, memory = 2048, storage_gib = 21 }
    pull    = { image = "s5cmd", cpu = 1024, memory = 2048, storage_gib = 50 }
    delta   = { image = "exchange", cpu = 512, memory = 1024, storage_gib = 21 }
    conform = { image = "polars", cpu = 4096, memory = 16384, storage_gib = 100 }
    gate    = { image = "quality", cpu = 2048, memory = 8192, storage_gib = 50 }
    publish = { image = "polars", cpu = 512, memory = 2048, storage_gib = 21 }
    report  = { image = "polars", cpu = 512, memory = 2048, storage_gib = 21 }
  }
  steps = { for step, size in local.default_steps : step => merge(size, try(var.steps[step], {})) }

  # What every process of the lakehouse is told, steps and Airflow alike.
  settings = {
    CRYPTO_LAKEHOUSE_ARCHIVE__BUCKET        = var.archive.bucket
    CRYPTO_LAKEHOUSE_ARCHIVE__REGION        = var.archive.region
    CRYPTO_LAKEHOUSE_CATALOG__GLUE_DATABASE = module.glue.database
    CRYPTO_LAKEHOUSE_CATALOG__KIND          = "glue"
    CRYPTO_LAKEHOUSE_CATALOG__REGION        = var.region
    CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED      = tostring(var.internet_egress)
    CRYPTO_LAKEHOUSE_LAKE                   = local.lake_uri
    CRYPTO_LAKEHOUSE_STORAGE__REGION        = var.region
  }

  # What Airflow is told beside: where it starts steps. A step's task definition is prefix, hyphen and its name; delta is
  # the only step that runs where the internet can be reached.
  ecs_settings = {
    CRYPTO_LAKEHOUSE_RUNNER                                = "ecs"
    CRYPTO_LAKEHOUSE_ECS__CLUSTER                          = module.steps.cluster
    CRYPTO_LAKEHOUSE_ECS__CONTAINER_NAME                   = module.steps.container
    CRYPTO_LAKEHOUSE_ECS__FAMILY_PREFIX                    = module.steps.family_prefix
    CRYPTO_LAKEHOUSE_ECS__LOGS_GROUP                       = module.steps.logs_group
    CRYPTO_LAKEHOUSE_ECS__LOGS_PREFIX                      = module.steps.logs_prefix
    CRYPTO_LAKEHOUSE_ECS__NETWORKS__DELTA__SECURITY_GROUPS = join(",", module.network.egress.security_groups)
    CRYPTO_LAKEHOUSE_ECS__NETWORKS__DELTA__SUBNETS         = join(",", module.network.egress.subnets)
    CRYPTO_LAKEHOUSE_ECS__REGION                           = var.region
    CRYPTO_LAKEHOUSE_ECS__SECURITY_GROUPS                  = join(",", module.network.isolated.security_groups)
    CRYPTO_LAKEHOUSE_ECS__SPOT                             = join(",", sort(var.spot_steps))
    CRYPTO_LAKEHOUSE_ECS__SUBNETS                          = join(",", module.network.isolated.subnets)
  }
}
