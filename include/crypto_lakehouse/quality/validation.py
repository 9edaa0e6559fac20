"""Runs Great Expectations over the facts of a batch, and keeps its results and its Data Docs."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crypto_lakehouse.foreign_errors import error_in_words
from crypto_lakehouse.quality.data_docs import Figures, make_self_contained
from crypto_lakehouse.quality.profile import Facts
from crypto_lakehouse.quality.suites import suite
from crypto_lakehouse.spec import Table

DATA_DOCS = "data_docs"
"""Folder of the Data Docs in the folder of the results."""
_RESULTS = "validations"
_VIEWS = "crypto_lakehouse.quality.data_docs_views"


def validated(table: Table, facts: Sequence[Facts], results: Path) -> Any:
    """Returns the result of a table's suite over facts: GX's `ExpectationSuiteValidationResult`.

    Args:
        table: The table.
        facts: The facts of the partitions.
        results: A folder, which gets GX's results as JSON and its Data Docs.

    Raises:
        TransientError: The disk did not take a page of the Data Docs.
    """
    # GX reads this at import: telemetry is off for every configuration of the machine.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import pandas as pd
    from great_expectations.checkpoint import UpdateDataDocsAction

    # Suite and checkpoint are made from the table each time. To write them to files and to read these again took
    # a tenth of the time.
    context = gx.get_context(mode="ephemeral", project_config=_configuration(results))
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("partitions").add_dataframe_asset("facts")
    batch = asset.add_batch_definition_whole_dataframe("batch")
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(name=table.name, data=batch, suite=context.suites.add(suite(table)))
    )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=table.name,
            validation_definitions=[validation],
            actions=[UpdateDataDocsAction(name="data_docs")],
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["partition"]},
        )
    )
    with _failing_aloud(results):
        outcome = checkpoint.run(batch_parameters={"dataframe": pd.DataFrame(list(facts))})
    result = next(iter(outcome.run_results.values()))
    if (results / DATA_DOCS).is_dir():
        counted = result.statistics
        figures = Figures(counted["evaluated_expectations"], counted["successful_expectations"])
        make_self_contained(results / DATA_DOCS, table.name, figures)
    return result


def _configuration(results: Path) -> Any:
    """Returns the configuration of a GX context that keeps results and pages in files, and all else in memory."""
    from great_expectations.data_context.types.base import DataContextConfig

    page, index = ({"class_name": name, "module_name": _VIEWS} for name in ("PageView", "IndexView"))
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": _files(results / DATA_DOCS),
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": index},
        "site_section_builders": {"validations": {"view": page}, "expectations": {"view": page}, "profiling": "None"},
    }
    names = {"expectations": "ExpectationsStore", "checkpoint": "CheckpointStore"}
    stores: dict[str, Any] = {f"{name}_store": {"class_name": store} for name, store in names.items()}
    stores["validation_definition_store"] = {"class_name": "ValidationDefinitionStore"}
    stores["validation_results_store"] = {
        "class_name": "ValidationResultsStore",
        "store_backend": _files(results / _RESULTS),
    }
    return DataContextConfig(
        config_version=4.0,
        analytics_enabled=False,
        stores=stores,
        expectations_store_name="expectations_store",
        checkpoint_store_name="checkpoint_store",
        validation_results_store_name="validation_results_store",
        data_docs_sites={"site": site},
    )


def _files(folder: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}


@contextmanager
def _failing_aloud(results: Path) -> Iterator[None]:
    """Raises the fault of the disk for which GX leaves out pages of its Data Docs, and which it only logs."""
    logger, handler = logging.getLogger("great_expectations"), _Messages()
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
    for message in handler.messages:
        if (fault := error_in_words(message, str(results))) is not None:
            raise fault


class _Messages(logging.Handler):
    """Keeps the messages of errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a message."""
        self.messages.append(record.getMessage())
