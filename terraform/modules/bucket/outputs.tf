output "name" {
  description = "The bucket's name; known once it is closed to others."
  value       = aws_s3_bucket_policy.this.bucket
}

output "arn" {
  description = "The bucket's ARN."
  value       = aws_s3_bucket.this.arn
}

output "versioning" {
  description = "Known once versioning is on, which replication waits for."
  value       = aws_s3_bucket_versioning.this.id
}
