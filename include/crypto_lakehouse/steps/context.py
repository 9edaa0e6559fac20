"""What every step gets in addition to its order."""

from dataclasses import dataclass
from pathlib import Path

from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.progress import Progress
from crypto_lakehouse.settings import Settings


@dataclass(frozen=True, slots=True)
class StepContext:
    """The surroundings of a step.

    Args:
        settings: The deployment.
        storage: The lake.
        order_key: Key of the step's order.
        work_folder: A private scratch folder.
        progress: Listener for long work.
    """

    settings: Settings
    storage: Storage
    order_key: str
    work_folder: Path
    progress: Progress
