"""What each exchange's refusals mean."""

import json

import pytest

from crypto_lakehouse.exchange.venue import Meaning
from crypto_lakehouse.exchange.venues import VENUES
from crypto_lakehouse.vocabulary import Exchange

BINANCE, COINBASE, KRAKEN = Exchange.BINANCE, Exchange.COINBASE, Exchange.KRAKEN


def kraken(error: str) -> str:
    return json.dumps({"error": [error]})


@pytest.mark.parametrize(
    ("exchange", "status", "body", "meaning"),
    [
        (BINANCE, 400, '{"code":-1121,"msg":"Invalid symbol."}', Meaning.UNKNOWN_SYMBOL),
        (BINANCE, 400, '{"code":-1120,"msg":"Invalid interval."}', Meaning.REQUEST),
        (BINANCE, 400, '{"code":-1003,"msg":"Too many requests."}', Meaning.WAIT),
        (BINANCE, 400, '{"code":-4166,"msg":"Search window is restricted."}', Meaning.TOO_OLD),
        (BINANCE, 418, "", Meaning.WAIT),
        (BINANCE, 403, "<html>", Meaning.BLOCKED),
        (BINANCE, 502, "<html>", Meaning.AGAIN),
        (BINANCE, 200, "<html>", Meaning.AGAIN),
        (COINBASE, 404, '{"message":"NotFound"}', Meaning.UNKNOWN_SYMBOL),
        (COINBASE, 400, '{"message":"Unsupported granularity"}', Meaning.REQUEST),
        (COINBASE, 429, '{"message":"Public rate limit exceeded"}', Meaning.WAIT),
        (COINBASE, 400, '{"message":"Public rate limit exceeded"}', Meaning.WAIT),
        (COINBASE, 451, "", Meaning.BLOCKED),
        (COINBASE, 500, '{"message":"Internal server error"}', Meaning.AGAIN),
        (COINBASE, 400, "[]", Meaning.REQUEST),
        (KRAKEN, 200, kraken("EQuery:Unknown asset pair"), Meaning.UNKNOWN_SYMBOL),
        (KRAKEN, 200, kraken("EGeneral:Invalid arguments:interval"), Meaning.REQUEST),
        (KRAKEN, 200, kraken("EGeneral:Too many requests"), Meaning.WAIT),
        (KRAKEN, 200, kraken("EGeneral:Temporary lockout"), Meaning.WAIT),
        (KRAKEN, 200, kraken("EAPI:Rate limit exceeded"), Meaning.WAIT),
        (KRAKEN, 200, kraken("EService:Unavailable"), Meaning.AGAIN),
        (KRAKEN, 200, kraken("EGeneral:Internal error"), Meaning.AGAIN),
        (KRAKEN, 200, kraken("EGeneral:Permission denied"), Meaning.BLOCKED),
        (KRAKEN, 200, kraken("ENever:Heard of"), Meaning.AGAIN),
        (KRAKEN, 520, "", Meaning.AGAIN),
    ],
)
def test_a_refusal_means_what_the_exchange_says(exchange: Exchange, status: int, body: str, meaning: Meaning) -> None:
    venue = VENUES[exchange]
    code, _ = venue.error(body)
    assert venue.meaning(status, code) is meaning


@pytest.mark.parametrize("exchange", Exchange)
@pytest.mark.parametrize(
    "body", ["", "[]", "null", '{"error":"x"}', '{"message":1}', '{"code":"x"}', "\x00", "9" * 5000]
)
def test_a_body_of_any_form_is_put_in_few_words(exchange: Exchange, body: str) -> None:
    code, words = VENUES[exchange].error(body)
    assert len(code) + len(words) <= 200
