"""What is known of the official chart: the keys of its values that ours use, and what its defaults would do.

Noted from the chart's values and templates of version 1.19 (Airflow 3.1); the chart itself cannot be had where these
tests run, so nothing here is rendered.
"""

PROBE = {"initialDelaySeconds", "timeoutSeconds", "failureThreshold", "periodSeconds", "command"}
_PART = {"replicas", "command", "args", "env", "serviceAccount", "securityContexts", "resources", "nodeSelector"}
_PROBES = {f"livenessProbe.{key}" for key in PROBE}
_WAITS = {"waitForMigrations.enabled", "waitForMigrations.env"}
_GROOMER = {f"logGroomerSidecar.{key}" for key in ("enabled", "command", "args", "retentionDays", "resources")}

PARTS = {
    "scheduler": _PART | _PROBES | _WAITS | _GROOMER | {f"startupProbe.{key}" for key in PROBE} | {"enabled"},
    "triggerer": _PART | _PROBES | _WAITS | _GROOMER | {"enabled", "persistence.enabled", "persistence.size"},
    "dagProcessor": _PART | _PROBES | _WAITS | _GROOMER | {"enabled"},
    "apiServer": _PART | _WAITS | {"enabled", "allowPodLogReading", "extraVolumes", "extraVolumeMounts"},
    "migrateDatabaseJob": {"enabled", "command", "args", "env", "resources"},
    "createUserJob": {"enabled", "command", "args"},
    "workers": {"persistence.enabled", "persistence.size"},
}
"""Keys by part; `resources`, `env` and the like hold Kubernetes' own words."""

PLAIN = {
    "airflowVersion": str,
    "defaultAirflowRepository": str,
    "defaultAirflowTag": str,
    "executor": str,
    "uid": int,
    "gid": int,
    "airflowHome": str,
    "fernetKeySecretName": str,
    "apiSecretKeySecretName": str,
    "jwtSecretName": str,
    "data.metadataSecretName": str,
    "postgresql.enabled": bool,
    "redis.enabled": bool,
    "statsd.enabled": bool,
    "allowPodLaunching": bool,
    "allowJobLaunching": bool,
    "multiNamespaceMode": bool,
    "rbac.create": bool,
    "dags.persistence.enabled": bool,
    "dags.gitSync.enabled": bool,
}
"""Keys of the chart as a whole."""

LISTS = {"env", "volumes", "volumeMounts"}
OPEN = {"config", "securityContexts.pod", "securityContexts.containers"}
"""Keys whose content is Airflow's or Kubernetes' own."""

RUNS_AN_ENTRYPOINT = {
    "scheduler": ("args", "livenessProbe.command", "startupProbe.command"),
    "triggerer": ("args", "livenessProbe.command"),
    "dagProcessor": ("args", "livenessProbe.command"),
    "apiServer": ("args",),
    "migrateDatabaseJob": ("args",),
}
"""Where the chart's defaults start `bash -c "exec airflow ..."` or `/entrypoint`, which only Apache's image can do."""

WAITS_BY_AN_ENTRYPOINT = ("scheduler", "triggerer", "dagProcessor", "apiServer")
GROOMS_BY_A_SCRIPT = ("scheduler", "triggerer", "dagProcessor")
