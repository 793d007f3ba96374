"""What mitmproxy and mitmweb show: comments and marks in the list, a view of bodies, commands."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import command, contentviews, exceptions, flowfilter, http
from mitmproxy.addons import readfile, save, view
from mitmproxy.io import FlowReader
from mitmproxy.test import taddons, tflow, tutils
from proxying import worst_gap

from regtrace.proxy import content_views, suite
from regtrace.proxy.content_views import ContentViews, explained
from regtrace.proxy.hosts import Hosts
from regtrace.proxy.options import Options
from regtrace.redact.redactor import Redactor
from regtrace.report.remarks import Remark
from regtrace.report.telling import Telling
from regtrace.wire.notation import read_notation

CAPTURES = Path(__file__).parents[2] / "captures"


def flows_of(capture: str) -> list[http.HTTPFlow]:
    with (CAPTURES / f"{capture}.mitm").open("rb") as stream:
        flows = [flow for flow in FlowReader(stream).stream() if isinstance(flow, http.HTTPFlow)]
    for flow in flows:
        flow.comment, flow.marked = "", ""
    return flows


@asynccontextmanager
async def screen(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """mitmproxy with a flow list, as its console and mitmweb have one."""
    monkeypatch.setattr("regtrace.proxy.marks._SOON", 0.01)
    with taddons.context(loadcore=False) as context:
        context.master.addons.add(view.View(), readfile.ReadFile(), save.Save(), *suite.addons())
        context.options.update(registry_live="off")
        context.master.addons.trigger(SimpleNamespace(name="running", args=list))
        yield context.master


async def loaded(master: Any, capture: str) -> list[http.HTTPFlow]:
    flows = flows_of(capture)
    for flow in flows:
        await master.load_flow(flow)
    while any(not flow.comment for flow in flows):
        await asyncio.sleep(0.01)
    return flows


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


def test_the_list_reads_as_a_story_and_can_be_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with screen(monkeypatch) as master:
            flows = await loaded(master, "docker-push-s3-403")
            assert all("push team/app" in flow.comment for flow in flows[1:])
            wrong = [flow for flow in flows if flow.marked]
            assert {flow.response.status_code for flow in wrong if flow.response} == {403}
            assert all("storage-403-on-head" in flow.comment for flow in wrong)
            for filter_ in ("~marker x", "~comment storage-403-on-head"):
                matches = flowfilter.parse(filter_)
                assert [flow for flow in flows if matches(flow)] == wrong

    run(story())


def test_marks_are_announced_and_made_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are drawn anew, and the traffic does not wait for the remarks."""
    push = """
        client C{n} = docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app{n} -> 200
        POST uploads in=team/app{n} -> 202 s{n}
        PATCH s{n} 5MB -> 403 DENIED
    """

    class Ear:
        def __init__(self) -> None:
            self.updated: list[str] = []

        def update(self, flows: Sequence[Any]) -> None:
            self.updated += [flow.id for flow in flows if flow.comment]

    async def story() -> None:
        async with screen(monkeypatch) as master:
            ear = Ear()
            master.addons.add(ear)
            flows = await loaded(master, "docker-push-s3-403")
            assert set(ear.updated) >= {flow.id for flow in flows}
            marks = master.addons.get("regtrace-marks")
            told = read_notation("".join(push.format(n=n) for n in range(300)))
            master.addons.get("regtrace-story")._news.extend(told)
            began = time.perf_counter()

            async def look() -> None:
                marks._look()
                await asyncio.wait([marks._looking])

            gap = await worst_gap(look())
            took = time.perf_counter() - began
            assert gap < took / 4

    run(story())


def test_a_persons_own_mark_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with screen(monkeypatch) as master:
            flows = flows_of("docker-push-s3-403")
            for flow in flows:
                flow.marked = ":grapes:"
                await master.load_flow(flow)
            while any(not flow.comment for flow in flows):
                await asyncio.sleep(0.01)
            assert {flow.marked for flow in flows} == {":grapes:"}

    run(story())


def test_mitmdump_has_no_list_to_write_beside() -> None:
    async def story() -> None:
        with taddons.context(loadcore=False) as context:
            context.master.addons.add(*suite.addons())
            context.options.update(registry_live="off")
            flows = flows_of("docker-push-s3-403")
            for flow in flows:
                await context.master.load_flow(flow)
            assert {flow.comment for flow in flows} == {""}

    run(story())


def call(master: Any, name: str, *args: Any) -> Any:
    return master.commands.call(name, *args)


def test_the_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def story() -> None:
        async with screen(monkeypatch) as master:
            assert call(master, "registry.operations") == ["No registry traffic was seen so far."]
            flows = await loaded(master, "docker-push-s3-403")
            (line,) = call(master, "registry.operations")
            assert line.startswith("failed      push team/app")
            assert "RT412 storage-403-on-head" in line
            said = call(master, "registry.explain", flows[-1])
            assert isinstance(said, Sequence)
            assert any("storage-403-on-head" in row for row in said)
            path = tmp_path / "push.json"
            assert str(path) in call(master, "registry.report", str(path))
            assert json.loads(path.read_text())["verdict"]["outcome"] == "failed"

    run(story())


def test_commands_refuse_with_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def story() -> None:
        async with screen(monkeypatch) as master:
            with pytest.raises(exceptions.CommandError, match="no registry traffic"):
                call(master, "registry.explain", tflow.tflow(resp=True))
            with pytest.raises(exceptions.CommandError, match="no HTTP flow"):
                call(master, "registry.explain", tflow.ttcpflow())
            with pytest.raises(exceptions.CommandError, match="xyz"):
                call(master, "registry.report", str(tmp_path / "push.xyz"))

    run(story())


def test_a_secret_gets_neither_into_a_comment_nor_out_of_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever breaks a handler is stopped by the gate."""

    marking: list[Telling] = []

    def marked(telling: Telling, redactor: Redactor) -> dict[str, Remark]:
        marking.append(telling)
        return told(telling, redactor)

    def told(telling: Telling, redactor: Redactor) -> dict[str, Remark]:
        bearers = [leg.bearer.raw for leg in telling.operation.legs if leg.bearer]
        return {leg.id: Remark(f"it said {bearers[0]}", ":x:") for leg in telling.operation.legs}

    monkeypatch.setattr("regtrace.proxy.marks.remarks", marked)
    monkeypatch.setattr("regtrace.proxy.commands.remarks", told)

    async def story() -> None:
        async with screen(monkeypatch) as master:
            flows = flows_of("docker-push-s3-403")
            for flow in flows:
                await master.load_flow(flow)
            with pytest.raises(exceptions.CommandError, match="would show"):
                call(master, "registry.explain", flows[-1])
            while not marking:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            assert not any(flow.comment for flow in flows)

    run(story())


def test_a_command_that_breaks_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By any other exception mitmproxy's console would end."""

    def breaks(*args: Any) -> None:
        raise RuntimeError("said on the wire")

    async def story() -> None:
        async with screen(monkeypatch) as master:
            (flow, *_) = await loaded(master, "docker-push-s3-403")
            monkeypatch.setattr("regtrace.proxy.commands.exchanges_of", breaks)
            monkeypatch.setattr("regtrace.proxy.commands.remarks", breaks)
            monkeypatch.setattr("regtrace.proxy.commands.check_path", breaks)
            for name, args in (
                ("registry.operations", ()),
                ("registry.explain", (flow,)),
                ("registry.report", (str(tmp_path / "push.json"),)),
            ):
                with pytest.raises(exceptions.CommandError, match="RuntimeError at") as told:
                    call(master, name, *args)
                assert "wire" not in str(told.value)

    run(story())


def test_commands_have_help(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with screen(monkeypatch) as master:
            ours: dict[str, command.Command] = {
                name: each
                for name, each in master.commands.commands.items()
                if name.startswith("registry.")
            }
            assert set(ours) == {"registry.explain", "registry.operations", "registry.report"}
            assert all(each.help for each in ours.values())

    run(story())


def a_body(capture: str, kind: str) -> tuple[http.HTTPFlow, http.Message]:
    """The first flow of which the response, or the request, is explained as this kind."""
    for flow in flows_of(capture):
        for message in (flow.request, flow.response):
            said = explained(flow, message)
            if said and said[0] == kind:
                assert message is not None
                return flow, message
    raise AssertionError(kind)


def seen(flow: http.HTTPFlow, message: http.Message) -> str:
    """What mitmproxy shows by itself when the message is opened."""
    if hasattr(contentviews, "prettify_message"):  # mitmproxy 12
        return contentviews.prettify_message(message, flow).text
    _, lines, _ = contentviews.get_message_content_view("auto", message, flow)
    return "\n".join("".join(str(text) for _, text in line) for line in lines)


@pytest.mark.parametrize(
    ("capture", "kind", "words"),
    [
        ("docker-push-ok", "Image manifest", "layers:"),
        ("skopeo-push-multiarch", "Image index", "manifests:"),
        ("docker-push-ok", "Token request", "asks for:"),
        ("docker-push-ok", "Registry token", "asked for:"),
        ("docker-pull-s3-denied", "Storage error", "AccessDenied"),
        ("docker-pull-unknown-tag", "Registry error", "UNAUTHORIZED"),
    ],
)
def test_bodies_are_explained_by_themselves(capture: str, kind: str, words: str) -> None:
    addon = ContentViews()
    with taddons.context():
        addon.load(None)
        try:
            assert words in seen(*a_body(capture, kind))
        finally:
            addon.done()


def test_an_image_configuration_is_explained() -> None:
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.request.path = f"/v2/team/app/blobs/sha256:{'a' * 64}"
    flow.response.headers["content-type"] = "application/vnd.oci.image.config.v1+json"
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{'b' * 64}"]}
    config = {"os": "linux", "architecture": "arm64", "rootfs": rootfs, "history": [{}]}
    flow.response.content = json.dumps(config).encode()
    said = explained(flow, flow.response)
    assert said is not None
    assert said[0] == "Image configuration"
    assert "platform: linux/arm64" in said[1]


def test_the_view_can_be_loaded_again() -> None:
    """As when the script is saved while mitmproxy runs."""
    with taddons.context():
        for _ in range(2):
            addon = ContentViews()
            addon.load(None)
            addon.done()


def test_a_body_that_is_not_ours_is_left_to_other_views() -> None:
    flow = tflow.tflow(resp=True)
    assert content_views.explained(flow, flow.response) is None
    assert content_views.explained(None, None) is None


# --- which hosts are looked into


def hello(name: str, port: int = 443) -> Any:
    return SimpleNamespace(
        context=SimpleNamespace(server=SimpleNamespace(address=(name, port))),
        client_hello=SimpleNamespace(sni=name),
        ignore_connection=False,
    )


def is_sealed(addon: Hosts, name: str, port: int = 443) -> bool:
    data = hello(name, port)
    addon.tls_clienthello(data)
    sealed: bool = data.ignore_connection
    return sealed


def answered(host: str, **headers: str) -> http.HTTPFlow:
    flow = tflow.tflow(req=tutils.treq(host=host, port=443, scheme=b"https", path=b"/v2/"))
    flow.response = http.Response.make(401 if "WWW-Authenticate" in headers else 307, b"", headers)
    return flow


def test_without_the_option_every_host_is_looked_into() -> None:
    addon = Hosts()
    with taddons.context(Options(), addon):
        assert not is_sealed(addon, "bank.example.com")


def test_other_hosts_pass_sealed() -> None:
    addon = Hosts()
    with taddons.context(Options(), addon) as context:
        context.options.update(registry_hosts=["registry.example.com:5000", "*.corp"])
        assert not is_sealed(addon, "registry.example.com", 5000)
        assert not is_sealed(addon, "Harbor.CORP")
        assert is_sealed(addon, "registry.example.com", 443)
        assert is_sealed(addon, "bank.example.com")


def test_the_token_server_and_the_storage_are_learned_from_the_registry_alone() -> None:
    addon = Hosts()
    with taddons.context(Options(), addon) as context:
        context.options.update(registry_hosts=["registry.example.com"])
        challenge = {"WWW-Authenticate": 'Bearer realm="https://auth.example.net/token"'}
        addon.responseheaders(answered("evil.example.org", **challenge))
        assert is_sealed(addon, "auth.example.net")
        addon.responseheaders(answered("registry.example.com", **challenge))
        assert not is_sealed(addon, "auth.example.net")
        assert is_sealed(addon, "bucket.example.net")
        addon.responseheaders(
            answered("registry.example.com", Location="https://bucket.example.net/blob?sig=x")
        )
        assert not is_sealed(addon, "bucket.example.net")


@pytest.mark.parametrize("pattern", ["https://registry.example.com", "registry/v2", ""])
def test_a_pattern_that_can_not_match_is_refused(pattern: str) -> None:
    with (
        taddons.context(Options()) as context,
        pytest.raises(exceptions.OptionsError, match="use a host name"),
    ):
        context.options.update(registry_hosts=[pattern])
