"""What every test of the proxy shares: one configuration directory, whose CA takes a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from site_authority import Authority


@pytest.fixture(scope="session")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("confdir")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
