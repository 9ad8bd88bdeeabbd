from typing import Any

import pytest


@pytest.fixture
def portal(live_server: Any, fake_gateway: Any, settings: Any) -> str:
    """
    The portal behind real HTTP, where the fake gateway's callbacks arrive; returns its address.
    """
    settings.SITE_URL = live_server.url
    return live_server.url
