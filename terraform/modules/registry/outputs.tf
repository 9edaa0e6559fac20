output "urls" {
  description = "Where to push each image."
  value       = { for name, one in aws_ecr_repository.this : name => one.repository_url }
}

output "arns" {
  description = "The repositories' ARNs."
  value       = [for one in aws_ecr_repository.this : one.arn]
}

output "prefix" {
  description = "What the images' names start with, without the last slash."
  value       = trimsuffix(aws_ecr_repository.this["polars"].repository_url, "/polars")
}
