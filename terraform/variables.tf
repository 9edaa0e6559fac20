variable "project" {
  description = "What every name starts with."
  type        = string
  default     = "lakehouse"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.project))
    error_message = "Lower case letters, digits and hyphens, 2 to 20 of them: bucket names are made from it."
  }
}

variable "environment" {
  description = "Which deployment this is: dev, staging or prod."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "One of dev, staging, prod."
  }
}

variable "region" {
  description = "Where all of it is. In the archive's own region pulling costs nothing and needs no way to the internet."
  type        = string
  default     = "ap-northeast-1"
}

variable "archive" {
  description = "The public bucket that is pulled from."
  type = object({
    bucket = string
    region = string
  })
  default = {
    bucket = "data.binance.vision"
    region = "ap-northeast-1"
  }
}

variable "tables" {
  description = "The Glue tables, derived from the tables of datasets and marts: tables.auto.tfvars.json, written by `make docs`."
  type = map(object({
    layer          = string
    description    = string
    fingerprint    = string
    live           = bool
    partition_keys = list(string)
    index_keys     = list(string)
    columns        = list(object({ name = string, type = string, comment = string }))
  }))
}

variable "verbs" {
  description = "The steps' images, networks and rights, derived from the table of verbs: tables.auto.tfvars.json, written by `make docs`."
  type = map(object({
    image      = string
    reach      = string
    order      = string
    starts_run = bool
    read       = list(string)
    write      = list(string)
    delete     = list(string)
    catalog    = string
  }))
}

variable "watched_datasets" {
  description = "Datasets whose lateness raises an alarm; each must be scheduled in Airflow."
  type        = list(string)
  default     = ["binance_spot_klines", "binance_um_klines"]

  validation {
    condition     = alltrue([for one in var.watched_datasets : try(var.tables[one].live, false)])
    error_message = "Every watched dataset must be a live one of the dataset table."
  }
}

variable "late_after_hours" {
  description = "A watched dataset is late when no run of it succeeded for so long; a multiple of 6."
  type        = number
  default     = 30

  validation {
    condition     = var.late_after_hours % 6 == 0 && var.late_after_hours >= 6 && var.late_after_hours <= 168
    error_message = "A multiple of 6 from 6 to 168: an alarm cannot look back further than a week."
  }
}

variable "image_tag" {
  description = "Tag of the images in the registry; tags are immutable, so a release has its own. Set by tables.auto.tfvars.json."
  type        = string
}

variable "steps" {
  description = "Overrides of steps' sizes, by step: cpu units, memory in MiB, ephemeral storage in GiB (21 to 200)."
  type = map(object({
    cpu         = number
    memory      = number
    storage_gib = number
  }))
  default = {}

  validation {
    condition     = alltrue([for step in keys(var.steps) : contains(keys(var.verbs), step)])
    error_message = "Every step must be one of the table of verbs: see `crypto-lakehouse step --help`."
  }
}

variable "spot_steps" {
  description = "Steps on Fargate's spare capacity: 70 % cheaper, and killed when it is wanted back. A killed step runs again."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for step in var.spot_steps : contains(keys(var.verbs), step)])
    error_message = "Every step must be one of the table of verbs: see `crypto-lakehouse step --help`."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the network; a /16 to /20."
  type        = string
  default     = "10.40.0.0/16"
}

variable "zones" {
  description = "Availability zones of the subnets, by name: a subnet must not move because AWS opens another zone. Interface endpoints are paid per zone."
  type        = list(string)
  default     = ["ap-northeast-1a", "ap-northeast-1c"]

  validation {
    condition     = length(var.zones) >= 1 && length(var.zones) <= 4 && alltrue([for zone in var.zones : startswith(zone, var.region)])
    error_message = "One to four zones of the region."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached without leaving the network."
  type        = list(string)
  default     = ["athena", "ecr.api", "ecr.dkr", "glue", "kms", "logs", "secretsmanager", "sts"]
}

variable "internet_egress" {
  description = "Whether steps can reach the exchanges: a NAT gateway. Without one there are no deltas, and instruments are known from the archive alone."
  type        = bool
  default     = true
}

variable "dns_allow_list" {
  description = "Whether names outside egress_hosts resolve to nothing within the network (Route 53 DNS firewall)."
  type        = bool
  default     = true
}

variable "egress_hosts" {
  description = "What the network may resolve beside AWS: the exchanges that steps ask."
  type        = list(string)
  default     = ["api.exchange.coinbase.com", "api.kraken.com", "dapi.binance.com", "data-api.binance.vision", "fapi.binance.com"]
}

variable "replica_region" {
  description = "A second region that Bronze, Silver and Gold are replicated to; null for none."
  type        = string
  default     = null
}

variable "glue_partition_indexes" {
  description = "Whether tables have a partition index; without one Glue loads all partitions and then filters."
  type        = bool
  default     = true
}

variable "glue_catalog_encryption" {
  description = "Whether this deployment encrypts the Glue catalog: a setting of the whole account and region."
  type        = bool
  default     = true
}

variable "bronze_archive_after_days" {
  description = "Days without access after which Bronze objects go to the archive tier, from where a rebuild must first restore them; null for never."
  type        = number
  default     = null
}

variable "noncurrent_days" {
  description = "How long overwritten and deleted objects can be brought back."
  type        = number
  default     = 30
}

variable "run_days" {
  description = "How long work orders, results and quality reports of runs, and damaged files, are kept; collect removes them."
  type        = number
  default     = 400

  validation {
    condition     = var.run_days >= 30
    error_message = "At least 30 days: a run may be continued so long."
  }
}

variable "scrub_days" {
  description = "A weekly scrub reads each stored file once in so many days. S3 checks its own bytes, and a file that is read costs the full price for the next 30 days."
  type        = number
  default     = 364

  validation {
    condition     = var.scrub_days >= 7
    error_message = "At least 7 days: a scrub starts once a week."
  }
}

variable "log_days" {
  description = "How long logs of steps, of the network and of access are kept."
  type        = number
  default     = 365
}

variable "force_destroy" {
  description = "Whether `destroy` takes buckets with their contents. Never in prod."
  type        = bool
  default     = false

  validation {
    condition     = !(var.force_destroy && var.environment == "prod")
    error_message = "A production lake is not destroyed by a flag: empty its buckets first."
  }
}

variable "alarm_emails" {
  description = "Who is written to."
  type        = list(string)
  default     = []
}

variable "alarm_webhook" {
  description = "An https endpoint that SNS posts to; empty for none. It must confirm the subscription."
  type        = string
  default     = ""
  sensitive   = true
}

variable "monthly_budget_usd" {
  description = "Alarm at 80 % of it spent and at 100 % forecast; null for none."
  type        = number
  default     = 500
}

variable "storage_limit_tb" {
  description = "Alarm when the lake's bucket holds more."
  type        = number
  default     = 10
}

variable "query_limit_gb" {
  description = "An Athena query that scans more is ended."
  type        = number
  default     = 100
}

variable "secret_names" {
  description = "Secrets to make room for, without values: public data needs none."
  type        = set(string)
  default     = []
}

variable "airflow_service" {
  description = "Who assumes the orchestrator's role: ecs-tasks.amazonaws.com, or airflow-env.amazonaws.com for MWAA."
  type        = string
  default     = "ecs-tasks.amazonaws.com"

  validation {
    condition     = contains(["ecs-tasks.amazonaws.com", "airflow-env.amazonaws.com"], var.airflow_service)
    error_message = "ecs-tasks.amazonaws.com or airflow-env.amazonaws.com."
  }
}
