variable "name" {
  description = "What repositories' names start with."
  type        = string
}

variable "images" {
  description = "The images."
  type        = set(string)
}

variable "kms_key_arn" {
  description = "What images are encrypted with."
  type        = string
}

variable "force_destroy" {
  description = "Whether `destroy` takes images along."
  type        = bool
}
