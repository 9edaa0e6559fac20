"""Points ccxt's clients at the exchange on loopback."""


def binance_urls(url: str) -> dict[str, str]:
    """Returns what `ccxt.binance().urls["api"]` is to hold, given the exchange's address."""
    return {
        "public": f"{url}/spot/api/v3",
        "fapiPublic": f"{url}/um/fapi/v1",
        "fapiData": f"{url}/um/futures/data",
        "dapiPublic": f"{url}/cm/dapi/v1",
        "dapiData": f"{url}/cm/futures/data",
    }


def coinbase_urls(url: str) -> dict[str, str]:
    """Returns what `ccxt.coinbaseexchange().urls["api"]` is to hold."""
    return {"public": f"{url}/coinbase"}


def kraken_urls(url: str) -> dict[str, str]:
    """Returns what `ccxt.kraken().urls["api"]` is to hold; ccxt adds `/0/public` itself."""
    return {"public": f"{url}/kraken"}
