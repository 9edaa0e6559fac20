"""The pull step: one batch of archive objects into Bronze."""

from crypto_lakehouse.archive.pulling import Transfer
from crypto_lakehouse.archive.pulling import pull as pull_objects
from crypto_lakehouse.lake.work import StepResult, read_pull_order
from crypto_lakehouse.steps.context import Outcome, StepContext, result
from crypto_lakehouse.vocabulary import ChecksumStatus, Step


def pull(context: StepContext) -> StepResult:
    """Brings a batch of objects into Bronze, verified; what fails verification is quarantined with its reason.

    Raises:
        LakehouseError: The archive did not answer, or not with what it listed.
    """
    order = read_pull_order(context.storage, context.order_key)
    profile = context.settings.transfer_profile(order.profile)
    transfer = Transfer(order.dataset, context.settings, profile, context.storage, context.progress)
    outcome = pull_objects(order.objects, transfer)
    counts = {
        "objects": len(outcome.pulled),
        "bytes": sum(one.size for one in outcome.pulled),
        "unverified": sum(one.checksum is ChecksumStatus.ABSENT for one in outcome.pulled),
        "objects_quarantined": len(outcome.quarantined),
    }
    return result(Step.PULL, order, Outcome(counts))
