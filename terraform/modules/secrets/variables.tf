variable "name" {
  description = "What secrets' names start with."
  type        = string
}

variable "names" {
  description = "The secrets."
  type        = set(string)
}

variable "kms_key_arn" {
  description = "What they are encrypted with."
  type        = string
}

variable "recovery_days" {
  description = "How long a deleted secret can be brought back; 0 for not at all."
  type        = number
}
