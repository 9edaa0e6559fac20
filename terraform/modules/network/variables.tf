variable "name" {
  description = "What names start with."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "partition" {
  description = "The AWS partition."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "cidr" {
  description = "The network's addresses."
  type        = string
}

variable "zones" {
  description = "The availability zones, at most four."
  type        = list(string)
}

variable "interface_endpoints" {
  description = "Services with an endpoint of their own."
  type        = list(string)
}

variable "own_bucket_arns" {
  description = "The buckets that the S3 endpoint lets through, to read and to write."
  type        = list(string)
}

variable "archive_bucket" {
  description = "The bucket that it lets through to read."
  type        = string
}

variable "archive_region" {
  description = "Where it is: the archive is asked at s3-<region>.amazonaws.com."
  type        = string
}

variable "internet_egress" {
  description = "Whether the egress subnets have a NAT gateway."
  type        = bool
}

variable "dns_allow_list" {
  description = "Whether only known names resolve."
  type        = bool
}

variable "egress_hosts" {
  description = "The known names beside AWS's."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "What flow logs are encrypted with."
  type        = string
}

variable "log_days" {
  description = "How long flow logs are kept."
  type        = number
}
