resource "aws_cloudwatch_metric_alarm" "failed" {
  alarm_name          = "${var.name}-failed-steps"
  alarm_description   = "Steps go on failing after their retries: read their logs, then clear the run; see docs/runbook.md"
  namespace           = local.namespace
  metric_name         = "FailedSteps"
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  threshold           = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "quarantined" {
  alarm_name          = "${var.name}-quarantined"
  alarm_description   = "Objects or partitions are kept from readers: the run's quality report says why"
  namespace           = local.namespace
  metric_name         = "Quarantined"
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "damaged" {
  alarm_name          = "${var.name}-damaged"
  alarm_description   = "Files of the lake are missing or damaged and could not be mended at once: see docs/maintenance.md"
  namespace           = local.namespace
  metric_name         = "Damaged"
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "late" {
  for_each            = toset(var.watched_datasets)
  alarm_name          = "${var.name}-late-${each.value}"
  alarm_description   = "No run of ${each.value} ended without a failed step for ${var.late_after_hours} hours"
  namespace           = local.namespace
  metric_name         = "FinishedRuns"
  dimensions          = { dataset = each.value }
  statistic           = "Sum"
  period              = 21600
  evaluation_periods  = var.late_after_hours / 6
  datapoints_to_alarm = var.late_after_hours / 6
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  # Silence is the fault that is looked for.
  treat_missing_data = "breaching"
  alarm_actions      = [aws_sns_topic.this.arn]
  ok_actions         = [aws_sns_topic.this.arn]
}

locals {
  # Where an object of the lake can be: as written, and in every tier that Intelligent-Tiering moves it to. The last two
  # have to be asked for; only the first of them can be, with bronze_archive_after_days, but a hand may add the other.
  storage_types = {
    standard        = "StandardStorage"
    frequent        = "IntelligentTieringFAStorage"
    infrequent      = "IntelligentTieringIAStorage"
    archive_instant = "IntelligentTieringAIAStorage"
    archive         = "IntelligentTieringAAStorage"
    deep_archive    = "IntelligentTieringDAAStorage"
  }
}

resource "aws_cloudwatch_metric_alarm" "storage" {
  alarm_name          = "${var.name}-storage"
  alarm_description   = "The lake holds more than ${var.storage_limit_tb} TB: see docs/cost.md"
  evaluation_periods  = 1
  threshold           = var.storage_limit_tb * 1000 * 1000 * 1000 * 1000
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]

  # As an array: a sum with plus signs is missing as soon as one tier is empty.
  metric_query {
    id          = "total"
    label       = "Bytes in the lake"
    expression  = "SUM([${join(", ", keys(local.storage_types))}])"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = local.storage_types

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = "AWS/S3"
        metric_name = "BucketSizeBytes"
        dimensions  = { BucketName = var.lake_bucket, StorageType = metric_query.value }
        # The one figure of a day.
        stat   = "Average"
        period = 86400
      }
    }
  }
}

resource "aws_budgets_budget" "this" {
  count        = var.monthly_budget_usd == null ? 0 : 1
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = ["user:${var.cost_tag}"]
  }

  notification {
    comparison_operator       = "GREATER_THAN"
    notification_type         = "ACTUAL"
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [aws_sns_topic.this.arn]
  }

  notification {
    comparison_operator       = "GREATER_THAN"
    notification_type         = "FORECASTED"
    threshold                 = 100
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [aws_sns_topic.this.arn]
  }
}
