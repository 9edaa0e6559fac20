"""The verbs: one row for each kind of step. Command line, images, network rule, roles and pages are derived from it.

A verb is what can be done; a step is one execution of a verb for one work order. Standard library only: DAG files and
settings import this module.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from crypto_lakehouse.vocabulary import Layer, Step


class Image(StrEnum):
    """The container images of the steps, by their folder in `images/`."""

    S5CMD = "s5cmd"
    EXCHANGE = "exchange"
    POLARS = "polars"
    QUALITY = "quality"


class Reach(StrEnum):
    """The farthest place that a verb opens a connection to."""

    LAKE = "lake"
    """The lake and its catalog alone."""
    ARCHIVE = "archive"
    """The exchange's public archive, a bucket."""
    EXCHANGE = "exchange"
    """The API of an exchange, which only the internet leads to."""


class Subject(StrEnum):
    """What a run of a verb is about; its name is the folder of the run below `runs/`."""

    TABLE = "table"
    """A dataset or a mart, by its name."""
    MARKET = "market"
    """A market of an exchange: `binance_um`."""
    LAKE = "lake"
    """The whole lake: `lake`."""


class CatalogAccess(StrEnum):
    """What a verb does with the catalog."""

    NONE = "none"
    READ = "read"
    PUBLISH = "publish"
    REPAIR = "repair"
    """Publish, and take partitions away from readers."""


class Area(Enum):
    """A part of the lake as patterns of keys; `*` matches any characters, `?` one character."""

    RUNS = ("runs/*",)
    # Three digits are enough: a plan writes at most 1,000 orders of a kind, 000 to 999.
    MAPPED_ORDERS = ("runs/*/pull-???.json", "runs/*/delta-???.json", "runs/*/transform-???.json")
    RUN_LOG = ("runs/*/log/*",)
    # Orders and results of runs; the run log has no such names.
    RUN_RECORDS = ("runs/*.json",)
    BRONZE = ("bronze/*",)
    BRONZE_OBJECTS = ("bronze/*/objects/*",)
    BRONZE_ANSWERS = ("bronze/*/rest/*",)
    BRONZE_LOG = ("bronze/*/log/*",)
    BRONZE_QUARANTINE = ("bronze/*/quarantine/*",)
    SILVER_VERSIONS = ("silver/*/version=*",)
    GOLD_VERSIONS = ("gold/*/version=*",)
    VERDICTS = ("silver/*/verdicts/*", "gold/*/verdicts/*")
    COVERAGE = ("coverage/*",)
    LIFETIMES = ("lifetimes/*",)
    EVIDENCE = ("quality/*",)
    REPORTS = ("quality/*/report.html", "quality/*/report.sha256")
    INSTRUMENTS = ("instruments/*",)
    SCRUB_PLACE = ("maintenance/scrub.json",)
    SET_ASIDE = ("damaged/*",)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The keys that belong to the area."""
        return tuple(self.value)


_VERSIONS = (Area.SILVER_VERSIONS, Area.GOLD_VERSIONS)
_LOGS = (Area.BRONZE_LOG, Area.BRONZE_QUARANTINE, Area.VERDICTS, Area.COVERAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb.

    Args:
        step: Its name: a command of `crypto-lakehouse step`, a task of a DAG.
        order: Name of the type of its work orders, in `runs/orders.py`.
        result: Name of the type of its outcome, in `runs/results.py`.
        order_stem: How the files of its orders are called: `pull` for `pull-000.json`, `plan` for `plan.json`.
        is_mapped: Whether a run has many orders of it, which are numbered. If not, a run starts with its order.
        subject: What a run of it is about.
        image: The image that has what it needs.
        extras: The extras of the package that bring its libraries.
        reach: The farthest place that it opens a connection to.
        reads: What it reads of the lake.
        writes: What it writes into the lake, its result file aside.
        folds: The logs whose many small files it replaces by one.
        deletes: What else it removes: a repair moves damaged files away, a collection removes what is old.
        catalog: What it does with the catalog.
        help: One sentence for people.
    """

    step: Step
    order: str
    result: str
    order_stem: str
    is_mapped: bool = True
    subject: Subject = Subject.TABLE
    image: Image = Image.POLARS
    extras: tuple[str, ...] = ()
    reach: Reach = Reach.LAKE
    reads: tuple[Area, ...]
    writes: tuple[Area, ...] = ()
    folds: tuple[Area, ...] = ()
    deletes: tuple[Area, ...] = ()
    catalog: CatalogAccess = CatalogAccess.NONE
    help: str

    @property
    def is_online(self) -> bool:
        """Whether it opens connections to something other than the lake."""
        return self.reach is not Reach.LAKE

    @property
    def sample_order(self) -> str:
        """The file name of its first order in a run."""
        return f"{self.order_stem}-000.json" if self.is_mapped else f"{self.order_stem}.json"


VERBS: tuple[Verb, ...] = (
    Verb(
        step=Step.PLAN,
        order="PlanRequest",
        result="PlanOutcome",
        order_stem="plan",
        is_mapped=False,
        extras=("pull",),
        reach=Reach.ARCHIVE,
        reads=(Area.RUNS, *_LOGS, Area.LIFETIMES, Area.INSTRUMENTS),
        writes=(Area.MAPPED_ORDERS, Area.RUN_LOG, Area.LIFETIMES),
        catalog=CatalogAccess.READ,
        help="Compare the archive with the lake and write the orders of the other steps.",
    ),
    Verb(
        step=Step.PULL,
        order="PullOrder",
        result="PullOutcome",
        order_stem="pull",
        image=Image.S5CMD,
        extras=("pull",),
        reach=Reach.ARCHIVE,
        reads=(Area.RUNS, Area.BRONZE),
        writes=(Area.BRONZE_OBJECTS, Area.BRONZE_LOG, Area.BRONZE_QUARANTINE),
        help="Bring a batch of archive objects into Bronze, verified.",
    ),
    Verb(
        step=Step.DELTA,
        order="DeltaOrder",
        result="DeltaOutcome",
        order_stem="delta",
        image=Image.EXCHANGE,
        extras=("exchange",),
        reach=Reach.EXCHANGE,
        reads=(Area.RUNS, Area.BRONZE),
        writes=(Area.BRONZE_ANSWERS, Area.BRONZE_LOG),
        help="Ask the exchange for a batch of what the archive does not have yet.",
    ),
    Verb(
        step=Step.CONFORM,
        order="TransformOrder",
        result="ConformOutcome",
        order_stem="transform",
        extras=("conform",),
        reads=(Area.RUNS, Area.BRONZE, Area.SILVER_VERSIONS),
        # What it finds damaged in Bronze it notes in the log, so that the next plan brings it again.
        writes=(Area.SILVER_VERSIONS, Area.BRONZE_LOG),
        catalog=CatalogAccess.READ,
        help="Build a batch of Silver partitions that no reader sees yet.",
    ),
    Verb(
        step=Step.BUILD,
        order="TransformOrder",
        result="BuildOutcome",
        order_stem="transform",
        reads=(Area.RUNS, Area.SILVER_VERSIONS, Area.GOLD_VERSIONS),
        writes=(Area.GOLD_VERSIONS,),
        catalog=CatalogAccess.READ,
        help="Build a batch of a mart's partitions that no reader sees yet.",
    ),
    Verb(
        step=Step.GATE,
        order="TransformOrder",
        result="GateOutcome",
        order_stem="transform",
        image=Image.QUALITY,
        extras=("gate",),
        # What a partition may lack is judged by the refused objects and the life of its symbol.
        reads=(Area.RUNS, Area.SILVER_VERSIONS, Area.GOLD_VERSIONS, *_LOGS, Area.LIFETIMES),
        writes=(Area.EVIDENCE,),
        help="Judge the candidates of a batch.",
    ),
    Verb(
        step=Step.PUBLISH,
        order="TransformOrder",
        result="PublishOutcome",
        order_stem="transform",
        reads=(Area.RUNS, Area.EVIDENCE, Area.SILVER_VERSIONS, Area.GOLD_VERSIONS, *_LOGS),
        writes=(Area.VERDICTS, Area.COVERAGE),
        catalog=CatalogAccess.PUBLISH,
        help="Point the catalog at the candidates that passed.",
    ),
    Verb(
        step=Step.REPORT,
        order="PlanRequest",
        result="ReportOutcome",
        order_stem="plan",
        is_mapped=False,
        extras=("reports",),
        reads=(Area.RUNS, Area.EVIDENCE, *_LOGS),
        writes=(Area.REPORTS, Area.RUN_LOG, *_LOGS),
        folds=(Area.RUN_LOG, *_LOGS),
        help="Write the run's summary and quality report.",
    ),
    Verb(
        step=Step.GAPS,
        order="GapsOrder",
        result="GapsOutcome",
        order_stem="gaps",
        is_mapped=False,
        subject=Subject.LAKE,
        reads=(Area.RUNS, Area.COVERAGE, Area.BRONZE_LOG, Area.BRONZE_QUARANTINE, Area.LIFETIMES),
        catalog=CatalogAccess.READ,
        help="Find the days whose data is missing and may still be had.",
    ),
    Verb(
        step=Step.INSTRUMENTS,
        order="InstrumentsOrder",
        result="InstrumentsOutcome",
        order_stem="instruments",
        is_mapped=False,
        subject=Subject.MARKET,
        image=Image.EXCHANGE,
        extras=("exchange", "pull"),
        reach=Reach.EXCHANGE,
        reads=(Area.RUNS, Area.INSTRUMENTS),
        writes=(Area.INSTRUMENTS,),
        folds=(Area.INSTRUMENTS,),
        help="Bring the instrument master of a market up to date.",
    ),
    Verb(
        step=Step.SCRUB,
        order="ScrubOrder",
        result="ScrubOutcome",
        order_stem="scrub",
        is_mapped=False,
        subject=Subject.LAKE,
        reads=(Area.RUNS, Area.SCRUB_PLACE, Area.BRONZE, *_VERSIONS, Area.VERDICTS),
        writes=(Area.SCRUB_PLACE,),
        catalog=CatalogAccess.READ,
        help="Read the next part of the stored files and compare their bytes with their names.",
    ),
    Verb(
        step=Step.REPAIR,
        order="RepairOrder",
        result="RepairOutcome",
        order_stem="repair",
        is_mapped=False,
        subject=Subject.LAKE,
        extras=("conform",),
        reads=(Area.RUNS, Area.BRONZE, *_VERSIONS, *_LOGS, Area.LIFETIMES, Area.INSTRUMENTS),
        # It never writes an object of Bronze: only a pull or the exchange brings those bytes again.
        writes=(*_VERSIONS, *_LOGS, Area.INSTRUMENTS, Area.RUN_LOG, Area.SET_ASIDE),
        # A damaged file is copied below `damaged/` first.
        deletes=(
            Area.BRONZE_OBJECTS,
            Area.BRONZE_ANSWERS,
            *_VERSIONS,
            *_LOGS,
            Area.INSTRUMENTS,
            Area.RUN_LOG,
        ),
        catalog=CatalogAccess.REPAIR,
        help="Mend what is missing or damaged from another copy or layer, and name the runs that bring the rest again.",
    ),
    Verb(
        step=Step.COLLECT,
        order="CollectOrder",
        result="CollectOutcome",
        order_stem="collect",
        is_mapped=False,
        subject=Subject.LAKE,
        # It judges data by names and times, and reads only logs and results. It removes no log.
        reads=(Area.RUNS, Area.BRONZE_LOG, Area.VERDICTS),
        deletes=(
            Area.BRONZE_OBJECTS,
            Area.BRONZE_ANSWERS,
            *_VERSIONS,
            Area.RUN_RECORDS,
            Area.EVIDENCE,
            Area.SET_ASIDE,
        ),
        catalog=CatalogAccess.READ,
        help="Remove versions that no reader needs any more, leftovers of crashes, and the records of old runs.",
    ),
)
"""All verbs. The verbs of a dataset's run come first, in the order of the run."""

_VERB_OF = {verb.step: verb for verb in VERBS}


def verb_of(step: Step) -> Verb:
    """Returns the row of a step's verb."""
    return _VERB_OF[step]


@dataclass(frozen=True, slots=True)
class Stage:
    """Verbs of a run that take the same orders, one verb after the other for each order.

    Args:
        name: The stage's name.
        steps: Its verbs, in order.
        needs: The stages before it that must not have failed; a stage after another one waits for it in any case.
    """

    name: str
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()

    @property
    def order_stem(self) -> str:
        """How the files of its orders are called."""
        return verb_of(self.steps[0]).order_stem


DATASET_RUN: tuple[Stage, ...] = (
    Stage("plan", (Step.PLAN,)),
    Stage("pull", (Step.PULL,), needs=("plan",)),
    Stage("delta", (Step.DELTA,), needs=("plan",)),
    # A partition made from half of its objects would be published and then rebuilt, so a failed pull stops the
    # transform. What the archive has is worth publishing although the exchange does not answer.
    Stage("transform", (Step.CONFORM, Step.GATE, Step.PUBLISH), needs=("plan", "pull")),
    Stage("report", (Step.REPORT,), needs=("plan",)),
)
"""The stages of a run of a dataset: the DAGs and the command line both follow it."""

MART_RUN: tuple[Stage, ...] = (
    Stage("plan", (Step.PLAN,)),
    Stage("transform", (Step.BUILD, Step.GATE, Step.PUBLISH), needs=("plan",)),
    Stage("report", (Step.REPORT,), needs=("plan",)),
)
"""The stages of a run of a mart, which only reads what is published."""


def stages_of(layer: Layer) -> tuple[Stage, ...]:
    """Returns the stages of a run of a table of this layer."""
    return MART_RUN if layer is Layer.GOLD else DATASET_RUN
