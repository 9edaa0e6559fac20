# Terraform owns the database and its tables, which are derived from the dataset table; the pipeline owns partitions.
# No partition projection: what is not registered has not passed the gate, and nobody must see it.

resource "aws_glue_catalog_database" "this" {
  name        = var.database
  description = var.description
}

resource "aws_glue_catalog_table" "this" {
  for_each      = var.tables
  database_name = aws_glue_catalog_database.this.name
  name          = each.key
  description   = each.value.description
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL           = "TRUE"
    classification     = "parquet"
    schema_fingerprint = each.value.fingerprint
  }

  dynamic "partition_keys" {
    for_each = each.value.partition_keys

    content {
      name = partition_keys.value
      type = "string"
    }
  }

  storage_descriptor {
    location      = "${var.lake_uri}/${each.value.layer}/${each.key}"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

# Without one Glue loads every partition of a table and filters afterwards.
resource "aws_glue_partition_index" "this" {
  for_each      = var.partition_indexes ? var.tables : {}
  database_name = aws_glue_catalog_database.this.name
  table_name    = aws_glue_catalog_table.this[each.key].name

  partition_index {
    index_name = "by_symbol"
    keys       = each.value.index_keys
  }
}

resource "aws_glue_data_catalog_encryption_settings" "this" {
  count = var.encrypt_catalog ? 1 : 0

  data_catalog_encryption_settings {
    connection_password_encryption {
      aws_kms_key_id                       = var.kms_key_arn
      return_connection_password_encrypted = true
    }

    encryption_at_rest {
      catalog_encryption_mode = "SSE-KMS"
      sse_aws_kms_key_id      = var.kms_key_arn
    }
  }
}
