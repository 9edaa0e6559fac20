variable "name" {
  description = "The cluster's name, and what task definitions' names start with."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "steps" {
  description = "The steps: image, size."
  type = map(object({
    image       = string
    cpu         = number
    memory      = number
    storage_gib = number
  }))
}

variable "images" {
  description = "Where the images are, by name."
  type        = map(string)
}

variable "image_tag" {
  description = "Their tag."
  type        = string
}

variable "roles" {
  description = "What each step may do: role ARNs by step."
  type        = map(string)
}

variable "execution_role" {
  description = "What starts containers."
  type        = string
}

variable "environment" {
  description = "The deployment's settings."
  type        = map(string)
}

variable "delta_secrets" {
  description = "Secrets that the delta step is started with: ARNs by environment variable."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "What logs are encrypted with."
  type        = string
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
}
