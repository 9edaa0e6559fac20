variable "database" {
  description = "The database's name."
  type        = string
}

variable "description" {
  description = "What it holds."
  type        = string
}

variable "lake_uri" {
  description = "The lake's root, which the tables' locations start with."
  type        = string
}

variable "tables" {
  description = "The tables; see the root module."
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

variable "partition_indexes" {
  description = "Whether the tables have a partition index."
  type        = bool
}

variable "encrypt_catalog" {
  description = "Whether to set the account's catalog encryption."
  type        = bool
}

variable "kms_key_arn" {
  description = "What the catalog is encrypted with."
  type        = string
}
