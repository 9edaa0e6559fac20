output "database" {
  description = "The database's name."
  value       = aws_glue_catalog_database.this.name
}
