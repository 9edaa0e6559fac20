"""The published version of a partition, before a new version replaces it.

Fewer rows never replace more in silence: a new version that lacks days which readers have is held back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crypto_lakehouse.errors import PermanentError
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.records import Manifest, PublishedPartition
from crypto_lakehouse.lake.versions import discard_download, verify_candidate
from crypto_lakehouse.spans import Span, subtract
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.vocabulary import Source


def loss_of(context: StepContext, manifest: Manifest, published: PublishedPartition) -> str:
    """Returns which days a new version lacks that the published one has, in words; empty where there are none.

    An object that was published again with fewer rows covers the same days, so it is no loss in this sense. A published
    file that is gone or damaged protects nothing.

    Args:
        context: The step's.
        manifest: The manifest of the new version.
        published: What readers see.
    """
    with fetched(context, published) as former:
        if former is None:
            return ""
        before = read_manifest(former)
    has = [Span.from_iso(*pair) for pair in manifest.covered]
    lost = [part for pair in before.covered for part in subtract(Span.from_iso(*pair), has)]
    if lost:
        days = [day for part in lost for day in part.days()]
        return (
            f"held back: readers would lose {len(days)} days from {days[0]} to {days[-1]}; they keep the former version"
        )
    given = {each.key for each in manifest.inputs}
    # A lookback covers no day of a mart's partition, but its rows depend on it.
    gone = sorted(each.key for each in before.inputs if each.source is Source.PUBLISHED and each.key not in given)
    if gone:
        return f"held back: the former version was made from {gone[0]} as well; readers keep it"
    return ""


@contextmanager
def fetched(context: StepContext, published: PublishedPartition) -> Iterator[Path | None]:
    """Yields a local path of a published file; None where the file is gone or damaged.

    Args:
        context: The step's.
        published: What readers see.
    """
    folder = context.work_folder / "former"
    folder.mkdir(exist_ok=True)
    try:
        path = verify_candidate(context.storage, published, folder)
        read_manifest(path)
    except PermanentError:
        yield None
        return
    yield path
    discard_download(path, folder)
