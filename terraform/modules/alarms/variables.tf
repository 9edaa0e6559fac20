variable "name" {
  description = "What names start with."
  type        = string
}

variable "account_id" {
  description = "The account, whose services may publish to the topic."
  type        = string
}

variable "kms_key_arn" {
  description = "What messages are encrypted with."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster whose tasks are watched."
  type        = string
}

variable "log_groups" {
  description = "The steps' log groups, by step."
  type        = map(string)
}

variable "watched_datasets" {
  description = "Datasets whose lateness is told."
  type        = list(string)
}

variable "late_after_hours" {
  description = "When a dataset is late."
  type        = number
}

variable "lake_bucket" {
  description = "The bucket whose size is watched."
  type        = string
}

variable "storage_limit_tb" {
  description = "Its limit."
  type        = number
}

variable "monthly_budget_usd" {
  description = "What a month may cost; null for no budget."
  type        = number
}

variable "cost_tag" {
  description = "The tag by which this deployment's costs are told apart: key$value."
  type        = string
}

variable "emails" {
  description = "Who is written to."
  type        = list(string)
}

variable "webhook" {
  description = "What is posted to; empty for nothing."
  type        = string
  sensitive   = true
}
