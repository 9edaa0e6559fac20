"""The exception tree: two branches by what the caller should do.

LakehouseError                  .dataset .partition .advice
├─ TransientError               retry
│  ├─ SourceUnavailable           the exchange, its archive or the object store did not answer
│  ├─ RateLimited                 the exchange asked us to wait
│  └─ ResourcesExhausted          the machine has no space, memory or file handles left
└─ PermanentError               do not retry; a person or a new object must change something
   ├─ ArchiveFileMissing          an object that was listed or asked for is not there
   ├─ ChecksumMismatch            the bytes differ from the checksum of the archive
   ├─ HostileArchive              a zip that breaks the rules of a safe archive object
   ├─ DecoderMissing              an object whose bytes this version cannot decode
   ├─ SchemaDrift                 a header, width, type or unit that the table does not know
   ├─ ContentRefused              rows with impossible values: other days, no numbers, wrong symbol
   ├─ ListingSuspect              a listing that is unsorted, repeats, or shrank
   ├─ ExchangeRefused             the exchange does not serve this address or this request
   ├─ OutOfReach                  the exchange does not return such old days any more
   ├─ MissingExtra                a library of an optional extra is not installed
   ├─ CorruptObject               a stored file no longer has the bytes that were written
   ├─ ObjectArchived              a stored object that cannot be read at once, such as in an archive tier
   ├─ PlaceUnusable               a file or folder is read-only, forbidden, or not of the right kind
   └─ InvalidRequest              a symbol, date, query or setting that is not valid
      └─ UnknownSymbol              the exchange or the endpoint does not have the symbol
SpecificationError (ValueError)  our own table is wrong; raised at import, never at run time
"""

from crypto_lakehouse.foreign_text import message


class LakehouseError(Exception):
    """Base class of all expected errors.

    Args:
        what: What happened, with figures.
        advice: What to do. It is the second line of the message.
        dataset: The dataset concerned, such as `binance_um_klines`.
        partition: The partition or object concerned.
    """

    def __init__(self, what: str, advice: str = "", *, dataset: str = "", partition: str = "") -> None:
        # Much of it quotes what others sent.
        self.what, self.advice, self.dataset, self.partition = map(message, (what, advice, dataset, partition))
        super().__init__(self.what, self.advice, self.dataset, self.partition)

    def __str__(self) -> str:
        place = " ".join(part for part in (self.dataset, self.partition) if part)
        first = f"{place}: {self.what}" if place else self.what
        return f"{first}\n{self.advice}" if self.advice else first


class TransientError(LakehouseError):
    """Trying again later may succeed."""


class SourceUnavailable(TransientError):
    """The exchange, its archive or the object store did not answer, or not in full."""


class RateLimited(TransientError):
    """The exchange asked us to wait."""


class ResourcesExhausted(TransientError):
    """The machine has no space, memory, file handles or processes left. They may be free again later."""


class PermanentError(LakehouseError):
    """A second attempt would fail as well."""


class ArchiveFileMissing(PermanentError):
    """An object that was listed or asked for is not there."""


class ChecksumMismatch(PermanentError):
    """The bytes differ from the CHECKSUM file of the archive."""


class HostileArchive(PermanentError):
    """A zip that breaks the rules of a safe archive object."""


class DecoderMissing(PermanentError):
    """A Bronze object whose bytes have a form that this version cannot decode."""


class SchemaDrift(PermanentError):
    """A header, width, type or unit that the dataset table does not know."""


class ContentRefused(PermanentError):
    """Rows with impossible values: other days, no numbers, another symbol."""


class ListingSuspect(PermanentError):
    """A bucket listing that is unsorted, repeats itself, or shrank."""


class ExchangeRefused(PermanentError):
    """The exchange does not serve this address or this request. Further requests do not change this."""


class OutOfReach(PermanentError):
    """An endpoint does not return such old days any more."""


class MissingExtra(PermanentError):
    """A library of an optional extra is not installed."""


class CorruptObject(PermanentError):
    """A stored file no longer has the bytes that were written."""


class ObjectArchived(PermanentError):
    """The store holds an object where it cannot be read at once, such as in an archive tier."""


class PlaceUnusable(PermanentError):
    """A file or folder is read-only, may not be used by this user, or is not what it must be."""


class InvalidRequest(PermanentError):
    """A symbol, date, query or setting that is not valid."""


class UnknownSymbol(InvalidRequest):
    """The exchange or the endpoint does not have the symbol. It may have had it before."""


class SpecificationError(ValueError):
    """The dataset table is inconsistent."""
