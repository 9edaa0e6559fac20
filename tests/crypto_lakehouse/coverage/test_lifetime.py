"""When a series began and ended, as far as its rows and the evidence show."""

from crypto_lakehouse.coverage.lifetime import ALWAYS, UNKNOWN_LIFETIME, Lifetime, clipped


def test_without_evidence_a_series_has_no_bounds() -> None:
    assert UNKNOWN_LIFETIME.bounds(3, 5) == UNKNOWN_LIFETIME.bounds(None, None) == ALWAYS


def test_the_first_row_starts_the_series_no_earlier_and_no_later_than_is_known() -> None:
    listed = Lifetime(starts=(10, 20))
    assert [listed.bounds(first, 99)[0] for first in (10, 15, 19, 20, 50, None)] == [10, 15, 19, 20, 20, 10]


def test_the_last_row_ends_the_series_no_earlier_and_no_later_than_is_known() -> None:
    ended = Lifetime(ends=(80, 90))
    assert [ended.bounds(0, last)[1] for last in (80, 89, 70, None)] == [81, 90, 80, 90]


def test_rows_outside_of_what_is_known_refute_it() -> None:
    life = Lifetime((10, 10), (90, 90))
    assert life.bounds(3, 95) == ALWAYS
    assert life.bounds(12, 40) == (10, 90)


def test_spans_are_clipped_and_empty_ones_left_out() -> None:
    assert clipped([(0, 10), (10, 20), (30, 40)], (5, 30)) == [(5, 10), (10, 20)]
