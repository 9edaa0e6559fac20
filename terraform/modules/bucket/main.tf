# A bucket that nobody outside reads, that says no to plain HTTP and to foreign keys, and that forgets nothing at once.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18: Where access logs go is not itself logged, or each log would make another; expires 2027-11-30
  #checkov:skip=CKV_AWS_145: Access logs can only be written under S3's own key; all other buckets are given KMS; expires 2027-11-30
  #checkov:skip=CKV_AWS_144: Replication is chosen per deployment by replica_region: Bronze can be pulled again; expires 2027-11-30
  bucket        = var.name
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_logging" "this" {
  count         = var.log_writer_account == null ? 1 : 0
  bucket        = aws_s3_bucket.this.id
  target_bucket = var.access_logs_bucket
  target_prefix = "access/"
}

# EventBridge hears of every object, so that something else can be hung on the lake without touching it.
resource "aws_s3_bucket_notification" "this" {
  bucket      = aws_s3_bucket.this.id
  eventbridge = true
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  # Noncurrent versions exist only once versioning is on.
  depends_on = [aws_s3_bucket_versioning.this]

  rule {
    id     = "remove-what-nobody-needs"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  dynamic "rule" {
    for_each = toset(var.tiered_prefixes)

    content {
      id     = "tier-${trimsuffix(rule.value, "/")}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      transition {
        days          = 0
        storage_class = "INTELLIGENT_TIERING"
      }
    }
  }

  dynamic "rule" {
    for_each = var.expirations

    content {
      id     = "expire-${trimsuffix(rule.key, "/")}"
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value
      }
    }
  }
}

resource "aws_s3_bucket_intelligent_tiering_configuration" "archive" {
  count  = var.archive_after_days == null ? 0 : 1
  bucket = aws_s3_bucket.this.id
  name   = "archive"

  filter {
    prefix = var.archive_prefix
  }

  tiering {
    access_tier = "ARCHIVE_ACCESS"
    days        = var.archive_after_days
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
  # Two changes of a bucket's access at once make S3 answer with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

locals {
  everything = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
  refusals = [
    {
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "s3:*"
      Resource  = local.everything
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    },
    {
      Sid       = "ModernTlsOnly"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "s3:*"
      Resource  = local.everything
      Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
    },
  ]
  # Objects that name no key get the bucket's own; only naming another one is refused.
  foreign_keys = [for key in compact([var.kms_key_arn]) : {
    Sid       = "OurKeyOnly"
    Effect    = "Deny"
    Principal = { AWS = "*" }
    Action    = "s3:PutObject"
    Resource  = ["${aws_s3_bucket.this.arn}/*"]
    Condition = {
      Null            = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
      StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = key }
    }
  }]
  log_delivery = [for account in compact([var.log_writer_account]) : {
    Sid       = "AccessLogs"
    Effect    = "Allow"
    Principal = { Service = "logging.s3.amazonaws.com" }
    Action    = "s3:PutObject"
    Resource  = "${aws_s3_bucket.this.arn}/access/*"
    Condition = { StringEquals = { "aws:SourceAccount" = account } }
  }]
  # As JSON, because the members of a Terraform list must be of one type and these have conditions of several.
  statements = [for one in concat(
    [for statement in local.refusals : jsonencode(statement)],
    [for statement in local.foreign_keys : jsonencode(statement)],
    [for statement in local.log_delivery : jsonencode(statement)],
  ) : jsondecode(one)]
}
