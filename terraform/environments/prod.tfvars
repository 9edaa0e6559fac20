environment        = "prod"
replica_region     = "ap-northeast-3"
zones              = ["ap-northeast-1a", "ap-northeast-1c", "ap-northeast-1d"]
monthly_budget_usd = 2000
storage_limit_tb   = 60

watched_datasets = [
  "binance_spot_klines",
  "binance_spot_agg_trades",
  "binance_um_klines",
  "binance_um_agg_trades",
  "binance_um_metrics",
  "binance_cm_klines",
]

steps = {
  conform = { cpu = 8192, memory = 32768, storage_gib = 200 }
  repair  = { cpu = 8192, memory = 32768, storage_gib = 200 }
  scrub   = { cpu = 2048, memory = 16384, storage_gib = 21 }
  collect = { cpu = 2048, memory = 16384, storage_gib = 21 }
  gate    = { cpu = 2048, memory = 16384, storage_gib = 100 }
}
