"""The pull step: one batch of archive objects into Bronze."""

from crypto_lakehouse.archive.pulling import Transfer
from crypto_lakehouse.archive.pulling import pull as pull_objects
from crypto_lakehouse.lake.records import RefusedInput
from crypto_lakehouse.runs.figures import PullFigures
from crypto_lakehouse.runs.orders import PullOrder
from crypto_lakehouse.runs.outcomes import PullOutcome
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.vocabulary import ChecksumStatus


def pull(context: StepContext, order: PullOrder) -> PullOutcome:
    """Brings a batch of objects into Bronze, verified; what fails verification is quarantined with its reason.

    Raises:
        LakehouseError: The archive did not answer, or not with what it listed.
    """
    profile = context.settings.transfer_profile(order.profile)
    transfer = Transfer(order.dataset, context.settings, profile, context.storage, context.progress)
    outcome = pull_objects(order.objects, transfer)
    return PullOutcome(
        PullFigures(
            objects=len(outcome.pulled),
            bytes=sum(stored.size for stored in outcome.pulled),
            unverified=sum(stored.checksum is ChecksumStatus.ABSENT for stored in outcome.pulled),
            objects_quarantined=len(outcome.quarantined),
        ),
        tuple(RefusedInput(refused.key, "", refused.error, refused.reason) for refused in outcome.quarantined),
    )
