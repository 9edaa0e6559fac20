# As production, with a part of the symbols and shorter memory.
environment             = "staging"
glue_catalog_encryption = false
noncurrent_days         = 7
run_days                = 90
log_days                = 90
monthly_budget_usd      = 300
storage_limit_tb        = 2
