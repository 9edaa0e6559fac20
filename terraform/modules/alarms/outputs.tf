output "topic_arn" {
  description = "What alarms are sent to."
  value       = aws_sns_topic.this.arn
}
