# Where the other states live; applied once per account, its own state kept by whoever applies it.

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "Where the states are kept."
  type        = string
  default     = "ap-northeast-1"
}

variable "project" {
  description = "What names start with."
  type        = string
  default     = "lakehouse"
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

module "key" {
  source      = "../modules/key"
  name        = "${var.project}-state"
  description = "Terraform states"
  partition   = data.aws_partition.current.partition
  region      = var.region
  account_id  = data.aws_caller_identity.current.account_id
}

module "logs" {
  source             = "../modules/bucket"
  name               = "${var.project}-state-logs-${data.aws_caller_identity.current.account_id}"
  log_writer_account = data.aws_caller_identity.current.account_id
  noncurrent_days    = 30
  expirations        = { "access/" = 365 }
}

module "state" {
  source             = "../modules/bucket"
  name               = "${var.project}-state-${data.aws_caller_identity.current.account_id}"
  kms_key_arn        = module.key.arn
  access_logs_bucket = module.logs.name
  noncurrent_days    = 365
}

output "bucket" {
  description = "What goes into the backend's configuration."
  value       = module.state.name
}
