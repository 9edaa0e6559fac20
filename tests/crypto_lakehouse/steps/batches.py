"""A run step by step: what tests of single steps share."""

from dataclasses import dataclass
from typing import Any

from crypto_lakehouse.running import new_run_id, write_first_order
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.runs.results import StepResult
from crypto_lakehouse.steps import run_step
from crypto_lakehouse.vocabulary import Step
from tests.small_lake import SmallLake

UM = "binance_um_klines"
FIRST, SECOND = "2024-01-08", "2024-01-09"


@dataclass(frozen=True)
class Batch:
    """A run of which the plan is done, with at most one order of each kind."""

    lake: SmallLake
    plan_key: str

    def key(self, step: Step) -> str:
        """Returns the order of a step."""
        stems = {Step.PULL: "pull-000", Step.CONFORM: "transform-000", Step.GATE: "transform-000"}
        stems[Step.PUBLISH] = "transform-000"
        return self.plan_key.replace("plan.json", f"{stems[step]}.json") if step in stems else self.plan_key

    def run(self, *steps: Step) -> StepResult[Any]:
        """Runs steps one after the other and returns the result of the last one."""
        for step in steps:
            result = run_step(step, self.key(step), self.lake.settings)
        return result


def planned(lake: SmallLake, first: str = FIRST, last: str = FIRST) -> Batch:
    """Plans a run of one symbol and returns it."""
    request = PlanRequest(UM, new_run_id("test"), first, last, ("BTCUSDT",), ("1h",), delta=False)
    key = write_first_order(Step.PLAN, request, lake.settings)
    run_step(Step.PLAN, key, lake.settings)
    return Batch(lake, key)
