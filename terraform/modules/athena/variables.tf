variable "name" {
  description = "The workgroup's name."
  type        = string
}

variable "results_bucket" {
  description = "Where results go."
  type        = string
}

variable "kms_key_arn" {
  description = "What results are encrypted with."
  type        = string
}

variable "query_limit_gb" {
  description = "A query that scans more is ended."
  type        = number
}

variable "force_destroy" {
  description = "Whether `destroy` takes named queries along."
  type        = bool
}
