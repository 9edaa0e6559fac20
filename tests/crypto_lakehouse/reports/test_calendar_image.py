import io
from collections.abc import Callable

import polars as pl
from PIL import Image

from crypto_lakehouse.reports.calendar import COLOURS, Calendar, calendars
from crypto_lakehouse.reports.calendar_image import calendar_png


def test_the_image_is_a_png_with_every_colour_in_it(
    four_days: list[Calendar], frame_of: Callable[[str], pl.DataFrame]
) -> None:
    data = calendar_png([*four_days, *calendars(frame_of("币安人生USDT" * 8))])
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    image = Image.open(io.BytesIO(data))
    image.load()
    assert (image.format, image.mode) == ("PNG", "RGB")
    pixels = {colour for _, colour in image.getcolors(maxcolors=1 << 24)}
    assert {tuple(bytes.fromhex(colour[1:])) for colour in COLOURS.values()} <= pixels


def test_a_further_series_makes_the_image_higher_and_not_wider(
    four_days: list[Calendar], frame_of: Callable[[str], pl.DataFrame]
) -> None:
    small, large = (
        Image.open(io.BytesIO(calendar_png(found))) for found in (four_days, [*four_days, *calendars(frame_of("X"))])
    )
    assert small.width == large.width and small.height < large.height
