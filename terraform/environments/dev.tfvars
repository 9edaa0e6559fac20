# To try things: small, cheap, gone with one command. No deltas, because a NAT gateway would be most of the bill.
environment             = "dev"
zones                   = ["ap-northeast-1a"]
internet_egress         = false
dns_allow_list          = false
glue_catalog_encryption = false
force_destroy           = true
noncurrent_days         = 1
run_days                = 30
log_days                = 30
monthly_budget_usd      = 100
storage_limit_tb        = 0.2
query_limit_gb          = 10
watched_datasets        = []

steps = {
  conform = { cpu = 2048, memory = 8192, storage_gib = 30 }
  repair  = { cpu = 2048, memory = 8192, storage_gib = 30 }
}
