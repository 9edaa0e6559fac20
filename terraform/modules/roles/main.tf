# One role per step, and each may do what the table of verbs says of its step: nobody else writes Bronze, nobody but publish
# and repair point readers at versions, and nobody but collect and repair deletes data; the others fold logs.

locals {
  glue_read = [
    "glue:BatchGetPartition",
    "glue:GetDatabase",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
  ]
  glue_actions = {
    none    = []
    read    = local.glue_read
    publish = concat(local.glue_read, ["glue:BatchCreatePartition", "glue:BatchUpdatePartition"])
    repair  = concat(local.glue_read, ["glue:BatchCreatePartition", "glue:BatchUpdatePartition", "glue:DeletePartition"])
  }
  glue_arn = "arn:${var.partition}:glue:${var.region}:${var.account_id}"
  glue_resources = [
    "${local.glue_arn}:catalog",
    "${local.glue_arn}:database/${var.database}",
    "${local.glue_arn}:table/${var.database}/*",
  ]
}

data "aws_iam_policy_document" "task_trust" {
  statement {
    sid     = "TasksOfThisAccount"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    # Keeps another account's service from being talked into using our role.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

data "aws_iam_policy_document" "step" {
  for_each = var.verbs

  # Of the whole bucket: without it S3 says "forbidden" of an object that is not there, and steps must tell the two apart.
  statement {
    sid       = "List"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [var.lake_arn]
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [for prefix in each.value.read : "${var.lake_arn}/${prefix}"]
  }

  statement {
    sid     = "Write"
    actions = ["s3:AbortMultipartUpload", "s3:PutObject"]
    resources = [
      for prefix in concat(each.value.write, ["runs/*.${each.key}.result.json"]) : "${var.lake_arn}/${prefix}"
    ]
  }

  dynamic "statement" {
    for_each = length(each.value.delete) > 0 ? [each.value.delete] : []

    content {
      sid       = "Delete"
      actions   = ["s3:DeleteObject"]
      resources = [for prefix in statement.value : "${var.lake_arn}/${prefix}"]
    }
  }

  dynamic "statement" {
    for_each = length(local.glue_actions[each.value.catalog]) > 0 ? [local.glue_actions[each.value.catalog]] : []

    content {
      sid       = "Catalog"
      actions   = statement.value
      resources = local.glue_resources
    }
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

resource "aws_iam_role" "step" {
  for_each           = var.verbs
  name               = "${var.name}-step-${each.key}"
  description        = "What the ${each.key} step may do"
  assume_role_policy = data.aws_iam_policy_document.task_trust.json
}

resource "aws_iam_role_policy" "step" {
  for_each = var.verbs
  name     = each.key
  role     = aws_iam_role.step[each.key].name
  policy   = data.aws_iam_policy_document.step[each.key].json
}

# What starts a container, as distinct from what runs in it.
data "aws_iam_policy_document" "execution" {
  statement {
    #checkov:skip=CKV_AWS_356: ecr:GetAuthorizationToken knows no resource but *; expires 2027-11-30
    sid       = "RegistryLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "PullImages"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = var.repository_arns
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:/${var.name}/*"]
  }

  dynamic "statement" {
    for_each = length(var.secret_arns) > 0 ? [values(var.secret_arns)] : []

    content {
      sid       = "Secrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = statement.value
    }
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["ecr.${var.region}.amazonaws.com", "secretsmanager.${var.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  description        = "Starts the containers of steps"
  assume_role_policy = data.aws_iam_policy_document.task_trust.json
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.name
  policy = data.aws_iam_policy_document.execution.json
}
