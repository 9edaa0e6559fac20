"""Each environment as users would apply it: planned whole, with what the stand-in could not apply."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.settings import ArchiveSettings, ExchangeSettings
from tests.terraform.conftest import Resources
from tests.terraform.terraforming import MOTO_LACKS

pytestmark = pytest.mark.long
Planned = Callable[[str], Resources]
INDEXES = {f'module.glue.aws_glue_partition_index.this["{row.name}"]' for row in DATASETS}
BUDGET = "module.alarms.aws_budgets_budget.this[0]"
FIREWALL = "module.network.aws_route53_resolver_firewall_rule_group_association.this[0]"
ALLOWED = "module.network.aws_route53_resolver_firewall_domain_list.allowed[0]"


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_an_environment_can_be_planned_whole(planned: Planned, environment: str) -> None:
    made = planned(environment)
    tables = made['module.glue.aws_glue_catalog_table.this["binance_um_klines"]']
    assert tables["storage_descriptor"][0]["location"].startswith(f"s3://lakehouse-{environment}-lake-")
    assert set(MOTO_LACKS) == {"glue_partition_indexes", "dns_allow_list", "monthly_budget_usd"}
    assert made.keys() >= {*INDEXES, BUDGET}
    assert (FIREWALL in made) is (environment != "dev")
    assert any("module.replica[0]" in address for address in made) is (environment == "prod")


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_network_resolves_what_steps_ask_and_little_else(planned: Planned, environment: str) -> None:
    domains = planned(environment)[ALLOWED]["domains"]
    asked = [str(url) for name, url in ExchangeSettings() if name.endswith("_url")] + [ArchiveSettings().endpoint_url]
    regional = ("glue", "logs", "kms", "sts", "secretsmanager", "api.ecr", "1.dkr.ecr", "s3", "lakehouse-lake-1.s3")
    needed = [urlsplit(url).hostname for url in asked] + [f"{one}.ap-northeast-1.amazonaws.com" for one in regional]
    assert [one for one in needed if not resolves(str(one), domains)] == []
    foreign = (
        "theirs.s3.us-east-1.amazonaws.com",
        "theirs.s3.amazonaws.com",
        "s3-us-west-2.amazonaws.com",
        "ec2-203-0-113-1.ap-northeast-1.compute.amazonaws.com",
        "theirs.ap-northeast-1.elb.amazonaws.com",
        "example.org",
    )
    assert [one for one in foreign if resolves(one, domains)] == []


def test_an_exchange_that_is_an_alias_resolves(planned: Planned) -> None:
    rule = planned("staging")["module.network.aws_route53_resolver_firewall_rule.allow[0]"]
    assert rule["firewall_domain_redirection_action"] == "TRUST_REDIRECTION_DOMAIN"


def resolves(host: str, domains: list[str]) -> bool:
    """Returns whether a list of the DNS firewall lets a name pass: a star stands for one label and more."""
    name = f"{host}."
    return any(name.endswith(one[1:]) if one.startswith("*.") else name == one for one in domains)


def test_the_second_region_has_what_readers_read_and_what_it_is_made_of(planned: Planned) -> None:
    made = planned("prod")
    copied = [rule["filter"][0]["prefix"] for rule in made["aws_s3_bucket_replication_configuration.lake[0]"]["rule"]]
    assert sorted(copied) == ["bronze/", "coverage/", "gold/", "instruments/", "silver/"]
    tiered = _tiered(made, "module.lake")
    assert tiered == _tiered(made, "module.replica[0]") == {"bronze/", "silver/", "gold/"}


def test_no_rule_of_the_lake_s_bucket_removes_what_collect_decides_about(planned: Planned) -> None:
    made = planned("prod")
    rules = {
        name: made[f"module.{name}.aws_s3_bucket_lifecycle_configuration.this"]["rule"] for name in ("lake", "logs")
    }
    days = {name: [each["days"] for rule in held for each in rule["expiration"]] for name, held in rules.items()}
    assert any(days["logs"]), "the control: such a rule would be seen"
    assert not any(days["lake"]), "the logs of the lake are as old as the lake"


def _tiered(made: Resources, bucket: str) -> set[str]:
    rules = made[f"{bucket}.aws_s3_bucket_lifecycle_configuration.this"]["rule"]
    return {rule["filter"][0]["prefix"] for rule in rules if rule["transition"]}
