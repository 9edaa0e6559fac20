"""A Bronze object goes to the decoder of its form, and an object of a form without decoder is refused."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.errors import DecoderMissing
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver import reading
from crypto_lakehouse.silver.conform import ConformOutcome, conform
from crypto_lakehouse.silver.decode.decoders import DECODERS, decoder_of
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.vocabulary import Interval, ObjectForm, Source
from tests.archive_builder import archive_file, build_input, csv, kline_rows

MARCH = date(2024, 3, 1)


def kline_input(day: date, folder: Path) -> InputObject:
    file = archive_file("binance_spot_klines", day.isoformat(), interval=Interval.M1)
    return build_input(file, csv(kline_rows(day, 60)), folder)


def from_source(given: InputObject, source: Source) -> InputObject:
    return InputObject(replace(given.object, key=f"{source}/{given.object.key}", source=source), given.path)


def conformed(inputs: list[InputObject], folder: Path) -> ConformOutcome:
    folder.mkdir()
    partition = Partition.parse("binance_spot_klines", "kline_interval=1m/symbol_key=BTCUSDT/period=2024-03")
    return conform(partition.dataset, [partition], inputs, folder, ConformSettings())


def test_every_form_but_messages_has_a_decoder() -> None:
    assert set(DECODERS) == set(ObjectForm) - {ObjectForm.MESSAGES}


def test_every_archive_object_is_a_zip_and_nothing_else_is() -> None:
    assert {source for source in Source if source.form is ObjectForm.ZIP} == {
        source for source in Source if source.is_archive
    }


@pytest.mark.parametrize("small_object_bytes", [reading.SMALL_OBJECT_BYTES, 0], ids=["whole", "streamed"])
def test_a_stream_object_is_refused_for_its_form_and_the_other_objects_of_the_partition_are_used(
    small_object_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SMALL_OBJECT_BYTES", small_object_bytes)
    # Its bytes are a sound zip: the zip decoder would accept them.
    unread = from_source(kline_input(date(2024, 3, 2), tmp_path), Source.STREAM)
    outcome = conformed([kline_input(MARCH, tmp_path), unread], tmp_path / "work")
    assert outcome.partitions[0].rows == 60
    assert outcome.partitions[0].manifest.refused == tuple(outcome.refused)
    assert [(record.key, record.error, record.reason) for record in outcome.refused] == [
        (
            unread.object.key,
            "DecoderMissing",
            "its bytes are messages, from source stream; this version decodes zip and answers only",
        )
    ]
    control = from_source(unread, Source.ARCHIVE_DAILY)
    assert conformed([kline_input(MARCH, tmp_path), control], tmp_path / "control").partitions[0].rows == 120


def test_the_error_names_dataset_and_object_and_what_to_do(tmp_path: Path) -> None:
    unread = from_source(kline_input(MARCH, tmp_path), Source.STREAM).object
    with pytest.raises(DecoderMissing) as caught:
        decoder_of(unread)
    assert (caught.value.dataset, caught.value.partition) == ("binance_spot_klines", unread.key)
    assert caught.value.advice == (
        "The object is left out of its partition. Rebuild the partition with a version that has a decoder for it"
    )
