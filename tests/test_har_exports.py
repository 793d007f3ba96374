"""A capture that was exported as HAR lacks a lot, but never tells another cause for it.

The exports are made by mitmproxy's own addon. A HAR has no connections, no failed tunnels, no
bytes of bodies: what can't be told from it stays unrecognised, or unsaid.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from mitmproxy import http
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.io import FlowReader
from mitmproxy.test import taddons

from lab.reading import reported

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*.mitm"))


def exported(capture: Path, path: Path) -> Path:
    with capture.open("rb") as stream:
        flows = [flow for flow in FlowReader(stream).stream() if isinstance(flow, http.HTTPFlow)]
    addon = SaveHar()
    with taddons.context(addon):
        path.write_text(json.dumps(addon.make_har(flows)))
    return path


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_no_other_cause(capture: Path, tmp_path: Path) -> None:
    expected = yaml.safe_load(capture.with_suffix(".yaml").read_text())["expect"]
    report = reported(exported(capture, tmp_path / "export.har"), tmp_path)

    roots = [finding for finding in report["findings"] if finding["explained_by"] is None]
    errors = {root["slug"] for root in roots if root["severity"] == "error"}
    warnings = {root["slug"] for root in roots if root["severity"] == "warning"}
    causes = {finding["slug"] for finding in expected["findings"] if finding["root"]}
    beside = {finding["slug"] for finding in expected["warnings"]}
    assert errors <= causes | {"unrecognised-failure"}
    assert warnings <= causes | beside
    if expected["verdict"] == "ok":
        assert report["verdict"]["outcome"] == "ok"
        assert len(report["operations"]) == len(expected["operations"])
