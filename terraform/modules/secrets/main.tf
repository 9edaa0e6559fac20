# Room for secrets, never their values: those would lie in the state. Public data needs none of them.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57: What an exchange or a chat gives out cannot be rotated from here; expires 2027-11-30
  for_each                = var.names
  name                    = "${var.name}/${each.key}"
  description             = "Set its value by hand: aws secretsmanager put-secret-value"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_days
}
