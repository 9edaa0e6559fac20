"""The exit codes of all processes, by which a caller decides what to do.

| code | meaning |
|---|---|
| 0 | success, or nothing to do |
| 64 | the command or a value is not valid |
| 65 | a permanent error: a second attempt would fail as well |
| 70 | a bug in the program, with its traceback |
| 75 | a transient error: try again later |
| 130 | interrupted from the keyboard |
| 143 | terminated (SIGTERM) |
"""

from collections.abc import Sequence

from crypto_lakehouse.errors import InvalidRequest, LakehouseError, TransientError

EXIT_OK, EXIT_USAGE, EXIT_PERMANENT, EXIT_UNEXPECTED, EXIT_TRANSIENT = 0, 64, 65, 70, 75
EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143


def exit_code(error: BaseException) -> int:
    """Returns the exit code for an error."""
    if isinstance(error, InvalidRequest):
        return EXIT_USAGE
    if isinstance(error, TransientError):
        return EXIT_TRANSIENT
    return EXIT_PERMANENT if isinstance(error, LakehouseError) else EXIT_UNEXPECTED


_WORST_FIRST = (EXIT_UNEXPECTED, EXIT_PERMANENT, EXIT_USAGE, EXIT_TRANSIENT)


def worst_exit_code(errors: Sequence[BaseException]) -> int:
    """Returns the exit code for several errors: a bug, else what a second attempt does not change, else 75.

    >>> worst_exit_code([])
    0
    """
    codes = {exit_code(error) for error in errors}
    return next((code for code in _WORST_FIRST if code in codes), EXIT_OK)
