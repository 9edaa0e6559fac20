# Steps print their result as one line of JSON, and so figures come out of logs: no program has to send metrics.

locals {
  namespace = "CryptoLakehouse/${var.name}"
}

resource "aws_sns_topic" "this" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OurAlarms"
        Effect    = "Allow"
        Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      # EventBridge does not say for whom it publishes: a condition would silence it.
      {
        Sid       = "OurEvents"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = toset(var.emails)
  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sns_topic_subscription" "webhook" {
  count     = nonsensitive(var.webhook != "") ? 1 : 0
  topic_arn = aws_sns_topic.this.arn
  protocol  = "https"
  endpoint  = var.webhook
}

# A task that failed, or that was never started: the second leaves no log.
resource "aws_cloudwatch_event_rule" "failed" {
  name        = "${var.name}-failed-tasks"
  description = "Steps that ended badly or did not start"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [var.cluster_arn]
      lastStatus = ["STOPPED"]
      "$or" = [
        { containers = { exitCode = [{ anything-but = 0 }] } },
        { stopCode = ["TaskFailedToStart"] },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  rule = aws_cloudwatch_event_rule.failed.name
  arn  = aws_sns_topic.this.arn
}

resource "aws_cloudwatch_log_metric_filter" "failed" {
  for_each       = var.log_groups
  name           = "failed-${each.key}"
  log_group_name = each.value
  pattern        = "{ $.status = \"failed\" }"

  metric_transformation {
    namespace = local.namespace
    name      = "FailedSteps"
    value     = "1"
    unit      = "Count"
  }
}

# A step that was killed leaves no line of its own: the report of its run counts it.
resource "aws_cloudwatch_log_metric_filter" "unfinished" {
  name           = "failed-in-a-run"
  log_group_name = var.log_groups["report"]
  pattern        = "{ $.step = \"report\" && $.steps_failed > 0 }"

  metric_transformation {
    namespace = local.namespace
    name      = "FailedSteps"
    value     = "1"
    unit      = "Count"
  }
}

# An object whose bytes are wrong, one that cannot be read, a partition that the gate refuses.
resource "aws_cloudwatch_log_metric_filter" "quarantined" {
  for_each       = { pull = "objects_quarantined", conform = "objects_refused", publish = "partitions_quarantined" }
  name           = "quarantined-${each.key}"
  log_group_name = var.log_groups[each.key]
  pattern        = "{ $.step = \"${each.key}\" && $.counts.${each.value} > 0 }"

  metric_transformation {
    namespace = local.namespace
    name      = "Quarantined"
    value     = "$.counts.${each.value}"
    unit      = "Count"
  }
}

# Files that are missing or damaged, and that a repair could not mend.
resource "aws_cloudwatch_log_metric_filter" "damaged" {
  name           = "damaged"
  log_group_name = var.log_groups["repair"]
  pattern        = "{ $.step = \"repair\" && $.counts.faults_left > 0 }"

  metric_transformation {
    namespace = local.namespace
    name      = "Damaged"
    value     = "$.counts.faults_left"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_log_metric_filter" "finished" {
  name           = "finished"
  log_group_name = var.log_groups["report"]
  # A report succeeds also where other steps failed: such a run is not finished, and the dataset becomes late.
  pattern = "{ $.step = \"report\" && $.status = \"succeeded\" && $.steps_failed = 0 && $.subject = \"*\" }"

  metric_transformation {
    namespace  = local.namespace
    name       = "FinishedRuns"
    value      = "1"
    unit       = "Count"
    dimensions = { dataset = "$.subject" }
  }
}
