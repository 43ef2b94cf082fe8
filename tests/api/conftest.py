"""What tests of assignment over gRPC need."""

import pytest

from tests.conftest import Client
from tests.people import People


@pytest.fixture
def people(client: Client) -> People:
    """Users, systems, cards."""
    return People(client)
