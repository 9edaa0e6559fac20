"""What a process of the lake ends with, so that whoever started it knows what to do.

| code | meaning |
|---|---|
| 0 | done, or nothing to do |
| 64 | the command or a value in it is not acceptable |
| 65 | a permanent error: trying again changes nothing |
| 70 | a fault of ours, with its traceback |
| 75 | a transient error: try again later |
| 130 | interrupted from the keyboard |
| 143 | told to stop (SIGTERM) |
"""

from crypto_lakehouse.errors import InvalidRequest, LakehouseError, TransientError

EXIT_OK, EXIT_USAGE, EXIT_PERMANENT, EXIT_UNEXPECTED, EXIT_TRANSIENT = 0, 64, 65, 70, 75
EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143


def exit_code(error: BaseException) -> int:
    """Returns the exit code that an error stands for."""
    if isinstance(error, InvalidRequest):
        return EXIT_USAGE
    if isinstance(error, TransientError):
        return EXIT_TRANSIENT
    return EXIT_PERMANENT if isinstance(error, LakehouseError) else EXIT_UNEXPECTED
