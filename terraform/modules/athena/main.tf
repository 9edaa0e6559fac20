# A workgroup whose settings a client cannot change: results are encrypted, short-lived, and a query has its limit.

resource "aws_athena_workgroup" "this" {
  name          = var.name
  description   = "Reads the published partitions of the lake"
  force_destroy = var.force_destroy

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.query_limit_gb * 1000 * 1000 * 1000

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location = "s3://${var.results_bucket}/results/"

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}
