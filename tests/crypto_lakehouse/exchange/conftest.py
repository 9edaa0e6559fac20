"""What tests of the exchange share."""

from tests.rest_fixtures import open_lake

__all__ = ["open_lake"]
