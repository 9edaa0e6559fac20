# A cluster on Fargate and one task definition per step. Airflow starts them with a command that names the work order;
# what they start with otherwise, the image's entry point with a step's help, does nothing.

locals {
  container   = "step"
  logs_folder = "/${var.name}/steps"
  logs_prefix = "step"
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }

  # Nobody is given ecs:ExecuteCommand; should that change, what is typed is logged and encrypted.
  configuration {
    execute_command_configuration {
      kms_key_id = var.kms_key_arn
      logging    = "OVERRIDE"

      log_configuration {
        cloud_watch_encryption_enabled = true
        cloud_watch_log_group_name     = aws_cloudwatch_log_group.commands.name
      }
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_cloudwatch_log_group" "commands" {
  name              = "/${var.name}/commands"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "step" {
  for_each          = var.steps
  name              = "${local.logs_folder}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_task_definition" "step" {
  for_each                 = var.steps
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  task_role_arn            = var.roles[each.key]
  execution_role_arn       = var.execution_role

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  ephemeral_storage {
    size_in_gib = each.value.storage_gib
  }

  # The only place that can be written to: the images declare it as a volume that their user may write.
  volume {
    name = "work"
  }

  container_definitions = jsonencode([{
    name                   = local.container
    image                  = "${var.images[each.value.image]}:${var.image_tag}"
    essential              = true
    cpu                    = each.value.cpu
    memory                 = each.value.memory
    user                   = "10001:10001"
    privileged             = false
    readonlyRootFilesystem = true
    command                = ["step", each.key, "--help"]
    stopTimeout            = 120
    environment            = [for name, value in var.environment : { name = name, value = value }]
    secrets = [
      for name, arn in(each.key == "delta" ? var.delta_secrets : {}) : { name = name, valueFrom = arn }
    ]
    mountPoints = [{ sourceVolume = "work", containerPath = "/work", readOnly = false }]
    linuxParameters = {
      initProcessEnabled = true
      capabilities       = { add = [], drop = ["ALL"] }
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.step[each.key].name
        awslogs-region        = var.region
        awslogs-stream-prefix = local.logs_prefix
        # When CloudWatch stalls, a blocked step would hang in the middle of its work and hold its slot in Airflow. A
        # step says a few lines and its result, well below a megabyte: so much fits in many times over, and a line that
        # alarms count is lost only if the task ends before CloudWatch is back. A failed task is told by its event too,
        # a quarantine by the red DAG run.
        mode            = "non-blocking"
        max-buffer-size = "25m"
      }
    }
  }])
}
