"""Which decoder reads which form of Bronze object."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from crypto_lakehouse.errors import DecoderMissing
from crypto_lakehouse.lake.records import BronzeObject
from crypto_lakehouse.silver.decode.answers import answers_block
from crypto_lakehouse.silver.decode.blocks import Block, InflationBounds
from crypto_lakehouse.silver.decode.zips import zip_block, zip_blocks
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import ObjectForm


@dataclass(frozen=True, slots=True)
class Decoder:
    """How objects of one form become lines of a source layout.

    Args:
        whole: Returns an object's lines as one block from its verified bytes; None if they are too many for one block.
        stream: Yields the lines of a large object as blocks; None if objects of this form are always decoded whole.
    """

    whole: Callable[[InputObject, bytes, Dataset, InflationBounds], Block | None]
    stream: Callable[[InputObject, Dataset, InflationBounds], Iterator[Block]] | None = None


DECODERS: Mapping[ObjectForm, Decoder] = MappingProxyType(
    {
        ObjectForm.ZIP: Decoder(zip_block, zip_blocks),
        ObjectForm.ANSWERS: Decoder(answers_block),
    }
)
"""The decoder of each form. A form without one is refused: its bytes are never given to the decoder of another."""


def decoder_of(bronze_object: BronzeObject) -> Decoder:
    """Returns the decoder of an object's form.

    Raises:
        DecoderMissing: This version has none.
    """
    form = bronze_object.source.form
    decoder = DECODERS.get(form) if form else None
    if decoder is None:
        known = " and ".join(DECODERS)
        raise DecoderMissing(
            f"its bytes are {form}, from source {bronze_object.source}; this version decodes {known} only",
            "The object is left out of its partition. Rebuild the partition with a version that has a decoder for it",
            dataset=bronze_object.dataset,
            partition=bronze_object.key,
        )
    return decoder
