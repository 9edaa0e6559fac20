# Who starts steps, and who reads what they published.

data "aws_iam_policy_document" "orchestrator_trust" {
  statement {
    sid     = "Airflow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = distinct([var.airflow_service, replace(var.airflow_service, "airflow-env.", "airflow.")])
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

data "aws_iam_policy_document" "orchestrator" {
  statement {
    sid       = "RunSteps"
    actions   = ["ecs:RunTask"]
    resources = ["arn:${var.partition}:ecs:${var.region}:${var.account_id}:task-definition/${var.name}-*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster_arn]
    }
  }

  statement {
    sid       = "WatchAndStopSteps"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask", "ecs:TagResource"]
    resources = ["arn:${var.partition}:ecs:${var.region}:${var.account_id}:task/${var.name}/*"]
  }

  # A later try looks for the task of an earlier one. The list cannot be narrowed by resource, only to a cluster.
  statement {
    #checkov:skip=CKV_AWS_356: ecs:ListTasks has no resource on Fargate, the condition names the cluster; expires 2027-11-30
    sid       = "FindSteps"
    actions   = ["ecs:ListTasks"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster_arn]
    }
  }

  statement {
    sid       = "HandRolesToSteps"
    actions   = ["iam:PassRole"]
    resources = concat([for one in aws_iam_role.step : one.arn], [aws_iam_role.execution.arn])

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid       = "ReadLogsOfSteps"
    actions   = ["logs:FilterLogEvents", "logs:GetLogEvents"]
    resources = ["arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:/${var.name}/steps/*"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [var.lake_arn, var.logs_arn]
  }

  statement {
    sid       = "ReadResults"
    actions   = ["s3:GetObject"]
    resources = [for prefix in ["runs", "quality"] : "${var.lake_arn}/${prefix}/*"]
  }

  # What an earlier try left must not be taken for what this one says.
  statement {
    sid       = "ForgetResults"
    actions   = ["s3:DeleteObject"]
    resources = ["${var.lake_arn}/runs/*.result.json"]
  }

  # A run starts with an order; the steps of the run write the orders after it.
  statement {
    sid       = "OrderRuns"
    actions   = ["s3:PutObject"]
    resources = distinct([for verb in var.verbs : "${var.lake_arn}/runs/*/${verb.order}.json" if verb.starts_run])
  }

  statement {
    sid       = "TaskLogs"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.logs_arn}/airflow/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com", "glue.${var.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "orchestrator" {
  name               = "${var.name}-orchestrator"
  description        = "Airflow: starts steps and reads their results; touches no market data"
  assume_role_policy = data.aws_iam_policy_document.orchestrator_trust.json
}

resource "aws_iam_role_policy" "orchestrator" {
  name   = "orchestrator"
  role   = aws_iam_role.orchestrator.name
  policy = data.aws_iam_policy_document.orchestrator.json
}

data "aws_iam_policy_document" "reader" {
  statement {
    sid       = "List"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [var.lake_arn, var.results_arn]
  }

  statement {
    sid       = "ReadSilver"
    actions   = ["s3:GetObject"]
    resources = [for prefix in ["silver", "gold", "coverage", "instruments"] : "${var.lake_arn}/${prefix}/*"]
  }

  statement {
    sid       = "Catalog"
    actions   = local.glue_read
    resources = local.glue_resources
  }

  statement {
    sid = "Query"
    actions = [
      "athena:GetQueryExecution",
      "athena:GetQueryResults",
      "athena:GetWorkGroup",
      "athena:StartQueryExecution",
      "athena:StopQueryExecution",
    ]
    resources = [var.workgroup_arn]
  }

  statement {
    sid       = "Results"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = ["${var.results_arn}/results/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com", "glue.${var.region}.amazonaws.com"]
    }
  }
}

# A policy, not a role: it is attached to the roles that people already have.
resource "aws_iam_policy" "reader" {
  name        = "${var.name}-reader"
  description = "Reads what is published, with Athena or directly"
  policy      = data.aws_iam_policy_document.reader.json
}
