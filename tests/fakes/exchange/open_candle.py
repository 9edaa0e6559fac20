"""The candle that is still open: it grows from call to call."""

import json
from collections import Counter
from decimal import Decimal

from tests.fakes.exchange.protocol import compact
from tests.fakes.exchange.series import DatasetSeries

_VOLUMES = (5, 7, 9, 10)
_LEAST_SHARE = Decimal("0.02")


class OpenCandles:
    """Shows open candles as they might look: the part of the final one that has passed, a little more at each look."""

    def __init__(self) -> None:
        self._looks: Counter[tuple[DatasetSeries, int]] = Counter()

    def as_now(self, series: DatasetSeries, row: bytes, now: int) -> bytes:
        """Returns a candle as it looks now, given as it will be in the end; `now` is in the row's own unit."""
        final = json.loads(row)
        opened, closed = final[0], final[6]
        if closed < now:
            return row
        self._looks[series, opened] += 1
        passed = max(_LEAST_SHARE, Decimal(now - opened) / (closed + 1 - opened))
        share = passed * (1 - Decimal(1) / (self._looks[series, opened] + 1))
        return compact(_grown(final, share))


def _grown(final: list[int | str], share: Decimal) -> list[int | str]:
    now = list(final)
    opened, high, low, close = (Decimal(str(final[field])) for field in (1, 2, 3, 4))
    now[4] = _part(opened, close, share, str(final[4]))
    # Both ends of the range lie between the open and the final high or low, so the row stays a sound candle.
    now[2] = _part(max(opened, close), high, share, str(final[2]))
    now[3] = _part(min(opened, close), low, share, str(final[3]))
    for field in _VOLUMES:
        now[field] = _part(Decimal(0), Decimal(str(final[field])), share, str(final[field]))
    now[8] = max(1, int(int(final[8]) * share))
    return now


def _part(start: Decimal, end: Decimal, share: Decimal, spelling: str) -> str:
    """Returns a value between two, spelled with as many digits as `spelling`."""
    return f"{(start + (end - start) * share).quantize(Decimal(spelling)):f}"
