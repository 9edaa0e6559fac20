variable "verbs" {
  description = "What each step reads, writes and deletes, and what it does with the catalog, by step."
  type = map(object({
    order      = string
    starts_run = bool
    read       = list(string)
    write      = list(string)
    delete     = list(string)
    catalog    = string
  }))
}

variable "name" {
  description = "What roles' names start with."
  type        = string
}

variable "partition" {
  description = "The AWS partition."
  type        = string
}

variable "region" {
  description = "The region of everything named here."
  type        = string
}

variable "account_id" {
  description = "The account of everything named here."
  type        = string
}

variable "lake_arn" {
  description = "The lake's bucket."
  type        = string
}

variable "results_arn" {
  description = "The bucket of query results."
  type        = string
}

variable "logs_arn" {
  description = "The bucket that Airflow's task logs go to."
  type        = string
}

variable "database" {
  description = "The Glue database."
  type        = string
}

variable "workgroup_arn" {
  description = "Where readers query."
  type        = string
}

variable "kms_key_arn" {
  description = "The deployment's key."
  type        = string
}

variable "repository_arns" {
  description = "The images that tasks start from."
  type        = list(string)
}

variable "cluster_arn" {
  description = "Where steps run."
  type        = string
}

variable "secret_arns" {
  description = "Secrets that steps are started with, by name."
  type        = map(string)
}

variable "airflow_service" {
  description = "Who assumes the orchestrator's role."
  type        = string
}
