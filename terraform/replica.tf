# A second copy of what is worth having twice, in another region: Bronze, Silver, Gold and the logs that say what they
# hold. Gold can be made again from Silver, as Silver can from Bronze; both are copied so that readers can go on at once.

module "replica_key" {
  source      = "./modules/key"
  count       = var.replica_region == null ? 0 : 1
  providers   = { aws = aws.replica }
  name        = "${local.name}-replica"
  description = "The second copy of ${local.name}"
  partition   = local.partition
  region      = coalesce(var.replica_region, var.region)
  account_id  = local.account_id
}

module "replica_logs" {
  source             = "./modules/bucket"
  count              = var.replica_region == null ? 0 : 1
  providers          = { aws = aws.replica }
  name               = "${local.replica_bucket}-logs"
  log_writer_account = local.account_id
  force_destroy      = var.force_destroy
  noncurrent_days    = var.noncurrent_days
  expirations        = { "access/" = var.log_days }
}

module "replica" {
  source             = "./modules/bucket"
  count              = var.replica_region == null ? 0 : 1
  providers          = { aws = aws.replica }
  name               = local.replica_bucket
  kms_key_arn        = module.replica_key[0].arn
  access_logs_bucket = module.replica_logs[0].name
  force_destroy      = var.force_destroy
  noncurrent_days    = var.noncurrent_days
  tiered_prefixes    = ["bronze/", "silver/", "gold/"]
}

data "aws_iam_policy_document" "replication_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

data "aws_iam_policy_document" "replication" {
  count = var.replica_region == null ? 0 : 1

  statement {
    sid       = "ReadRules"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [module.lake.arn]
  }

  statement {
    sid = "ReadVersions"
    actions = [
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionTagging",
    ]
    resources = ["${module.lake.arn}/*"]
  }

  statement {
    sid       = "WriteCopies"
    actions   = ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${module.replica[0].arn}/*"]
  }

  statement {
    sid       = "ReadKey"
    actions   = ["kms:Decrypt"]
    resources = [module.key.arn]
  }

  statement {
    sid       = "WriteKey"
    actions   = ["kms:Encrypt", "kms:GenerateDataKey"]
    resources = [module.replica_key[0].arn]
  }
}

resource "aws_iam_role" "replication" {
  count              = var.replica_region == null ? 0 : 1
  name               = "${local.name}-replication"
  description        = "Copies the lake to ${local.replica_bucket}"
  assume_role_policy = data.aws_iam_policy_document.replication_trust.json
}

resource "aws_iam_role_policy" "replication" {
  count  = var.replica_region == null ? 0 : 1
  name   = "replication"
  role   = aws_iam_role.replication[0].name
  policy = data.aws_iam_policy_document.replication[0].json
}

resource "aws_s3_bucket_replication_configuration" "lake" {
  count  = var.replica_region == null ? 0 : 1
  bucket = module.lake.versioning
  role   = aws_iam_role.replication[0].arn

  dynamic "rule" {
    for_each = { for priority, prefix in ["bronze/", "silver/", "gold/", "coverage/", "instruments/"] : prefix => priority }

    content {
      id       = trimsuffix(rule.key, "/")
      priority = rule.value
      status   = "Enabled"

      filter {
        prefix = rule.key
      }

      # A deletion stays here: the copy must outlive what happens to the original.
      delete_marker_replication {
        status = "Disabled"
      }

      source_selection_criteria {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }
      }

      destination {
        bucket        = module.replica[0].arn
        storage_class = "INTELLIGENT_TIERING"

        encryption_configuration {
          replica_kms_key_id = module.replica_key[0].arn
        }
      }
    }
  }

  depends_on = [module.replica]
}
