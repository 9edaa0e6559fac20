variable "name" {
  description = "The bucket's name."
  type        = string
}

variable "kms_key_arn" {
  description = "What new objects are encrypted with; null for S3's own key, the only one access logs can be written under."
  type        = string
  default     = null
}

variable "access_logs_bucket" {
  description = "Where access to this bucket is logged; null where this is that bucket."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether `destroy` takes the contents along."
  type        = bool
  default     = false
}

variable "noncurrent_days" {
  description = "How long overwritten and deleted objects are kept."
  type        = number
}

variable "expirations" {
  description = "Days after which objects below a prefix are removed."
  type        = map(number)
  default     = {}
}

variable "tiered_prefixes" {
  description = "Prefixes whose objects move to Intelligent-Tiering, which finds out what is read."
  type        = list(string)
  default     = []
}

variable "archive_after_days" {
  description = "Days without access after which objects below archive_prefix go to the archive tier; null for never."
  type        = number
  default     = null
}

variable "archive_prefix" {
  description = "What archive_after_days is about."
  type        = string
  default     = "bronze/"
}

variable "log_writer_account" {
  description = "The account whose buckets log access here, which then is not logged itself; null for none."
  type        = string
  default     = null
}
