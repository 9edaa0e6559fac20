# The AWS side of the lakehouse; docs/aws.md says how to run it and docs/cost.md what it costs.

module "key" {
  source      = "./modules/key"
  name        = local.name
  description = "Everything that ${local.name} stores"
  partition   = local.partition
  region      = var.region
  account_id  = local.account_id
}

module "logs" {
  source             = "./modules/bucket"
  name               = local.logs_bucket
  log_writer_account = local.account_id
  force_destroy      = var.force_destroy
  noncurrent_days    = var.noncurrent_days
  expirations        = { "access/" = var.log_days, "airflow/" = var.log_days }
}

# Bronze, Silver and the records of runs are prefixes of one bucket: the pipeline knows one root, what a partition was
# made from lies beside it, and rights and lifecycles go by prefix. No rule of the bucket removes current objects: only the
# step `collect` knows what a reader, a log or an unfinished run still needs.
module "lake" {
  source             = "./modules/bucket"
  name               = local.lake_bucket
  kms_key_arn        = module.key.arn
  access_logs_bucket = module.logs.name
  force_destroy      = var.force_destroy
  noncurrent_days    = var.noncurrent_days
  tiered_prefixes    = ["bronze/", "silver/", "gold/"]
  archive_after_days = var.bronze_archive_after_days
}

module "results" {
  source             = "./modules/bucket"
  name               = local.results_bucket
  kms_key_arn        = module.key.arn
  access_logs_bucket = module.logs.name
  force_destroy      = var.force_destroy
  noncurrent_days    = 1
  expirations        = { "results/" = 7 }
}

module "glue" {
  source            = "./modules/glue"
  database          = replace(local.name, "-", "_")
  description       = "Published partitions of ${local.name}"
  lake_uri          = local.lake_uri
  tables            = var.tables
  partition_indexes = var.glue_partition_indexes
  encrypt_catalog   = var.glue_catalog_encryption
  kms_key_arn       = module.key.arn
}

module "athena" {
  source         = "./modules/athena"
  name           = local.name
  results_bucket = module.results.name
  kms_key_arn    = module.key.arn
  query_limit_gb = var.query_limit_gb
  force_destroy  = var.force_destroy
}

module "registry" {
  source        = "./modules/registry"
  name          = local.name
  images        = setunion([for one in local.steps : one.image], ["airflow"])
  kms_key_arn   = module.key.arn
  force_destroy = var.force_destroy
}

module "secrets" {
  source        = "./modules/secrets"
  name          = local.name
  names         = var.secret_names
  kms_key_arn   = module.key.arn
  recovery_days = var.force_destroy ? 0 : 30
}

module "network" {
  source              = "./modules/network"
  name                = local.name
  partition           = local.partition
  region              = var.region
  account_id          = local.account_id
  cidr                = var.vpc_cidr
  zones               = var.zones
  interface_endpoints = var.interface_endpoints
  own_bucket_arns     = [module.lake.arn, module.results.arn, module.logs.arn]
  archive_bucket      = var.archive.bucket
  archive_region      = var.archive.region
  internet_egress     = var.internet_egress
  dns_allow_list      = var.dns_allow_list
  egress_hosts        = var.egress_hosts
  kms_key_arn         = module.key.arn
  log_days            = var.log_days
}

module "roles" {
  source          = "./modules/roles"
  verbs           = var.verbs
  name            = local.name
  partition       = local.partition
  region          = var.region
  account_id      = local.account_id
  lake_arn        = module.lake.arn
  results_arn     = module.results.arn
  logs_arn        = module.logs.arn
  database        = module.glue.database
  workgroup_arn   = module.athena.arn
  kms_key_arn     = module.key.arn
  repository_arns = module.registry.arns
  cluster_arn     = module.steps.cluster_arn
  secret_arns     = module.secrets.arns
  airflow_service = var.airflow_service
}

module "steps" {
  source         = "./modules/steps"
  name           = local.name
  region         = var.region
  steps          = local.steps
  images         = module.registry.urls
  image_tag      = var.image_tag
  roles          = module.roles.steps
  execution_role = module.roles.execution
  environment    = local.settings
  delta_secrets = {
    for name, arn in module.secrets.arns : "CRYPTO_LAKEHOUSE_EXCHANGE__API_KEY" => arn if name == "exchange-api-key"
  }
  kms_key_arn = module.key.arn
  log_days    = var.log_days
}

module "alarms" {
  source             = "./modules/alarms"
  name               = local.name
  account_id         = local.account_id
  kms_key_arn        = module.key.arn
  cluster_arn        = module.steps.cluster_arn
  log_groups         = module.steps.log_groups
  watched_datasets   = var.watched_datasets
  late_after_hours   = var.late_after_hours
  lake_bucket        = module.lake.name
  storage_limit_tb   = var.storage_limit_tb
  monthly_budget_usd = var.monthly_budget_usd
  cost_tag           = "Deployment$${local.name}"
  emails             = var.alarm_emails
  webhook            = var.alarm_webhook
}
