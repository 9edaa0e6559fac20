variable "name" {
  description = "The alias."
  type        = string
}

variable "description" {
  description = "What the key is for."
  type        = string
}

variable "partition" {
  description = "The AWS partition."
  type        = string
}

variable "region" {
  description = "The region, whose log groups may use the key."
  type        = string
}

variable "account_id" {
  description = "The account that owns it."
  type        = string
}

variable "deletion_days" {
  description = "How long a deleted key can be brought back."
  type        = number
  default     = 30
}
