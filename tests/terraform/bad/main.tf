# Everything that must not be: the control of the scan, which has to see it. Never applied.

resource "aws_s3_bucket" "open" {
  bucket = "open"
}

resource "aws_s3_bucket_public_access_block" "open" {
  bucket                  = aws_s3_bucket.open.id
  block_public_acls       = false
  block_public_policy     = false
  ignore_public_acls      = false
  restrict_public_buckets = false
}

resource "aws_s3_bucket_policy" "open" {
  bucket = aws_s3_bucket.open.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = "*", Action = "s3:*", Resource = "${aws_s3_bucket.open.arn}/*" }]
  })
}

resource "aws_kms_key" "still" {
  description         = "Never rotated"
  enable_key_rotation = false
}

resource "aws_iam_policy" "all" {
  name = "all"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }]
  })
}

resource "aws_security_group" "open" {
  name   = "open"
  vpc_id = aws_vpc.this.id

  ingress {
    from_port   = 0
    to_port     = 65535
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_ecr_repository" "loose" {
  name = "loose"
}

resource "aws_ecs_task_definition" "root" {
  family = "root"
  container_definitions = jsonencode([{
    name                   = "step"
    image                  = "step:latest"
    privileged             = true
    readonlyRootFilesystem = false
  }])
}

resource "aws_ecs_cluster" "blind" {
  name = "blind"
}

resource "aws_athena_workgroup" "loose" {
  name = "loose"

  configuration {
    enforce_workgroup_configuration = false
  }
}

resource "aws_secretsmanager_secret" "plain" {
  name = "plain"
}

resource "aws_sns_topic" "plain" {
  name = "plain"
}

resource "aws_cloudwatch_log_group" "forever" {
  name = "forever"
}
