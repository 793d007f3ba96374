"""A copy of a capture in which each flow says what it is and what was wrong with it.

The flows are the capture's own, with every secret that it holds: this is for the machine that the
capture lies on, and no report.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from mitmproxy import exceptions, flow, http
from mitmproxy.io import FlowReader, FlowWriter

from regtrace.proxy.capture import Reader, Unreadable
from regtrace.proxy.history import History
from regtrace.proxy.marks import put
from regtrace.proxy.site import Site
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.model import Damage
from regtrace.report.remarks import Remark, remarks
from regtrace.report.visible import visible


def read_remarks(reader: Reader, site: Site) -> dict[str, Remark]:
    """Id of each flow → what is to be said of it. Raises Unreadable."""
    history = History()
    history.judge = site.examine
    redactor = Redactor(Level.INTERNAL)
    said: dict[str, Remark] = {}

    def take() -> None:
        for telling in history.take():
            said.update(remarks(telling, redactor))

    for exchange in reader:
        history.add(exchange)
        if history.crowded:
            history.retire()
            take()
    if reader.is_har:
        raise Unreadable(f"{visible(reader.path)}: is a HAR file; name what mitmdump -w wrote")
    for telling in history.tellings():
        said.update(remarks(telling, redactor))
    return said


def annotate(
    source: BinaryIO, target: BinaryIO, said: dict[str, Remark], damage: Damage | None
) -> int:
    """Copy the flows, those before the damage, with what is said of them; how many got a remark."""
    writer = FlowWriter(target)
    marked = 0
    for copied in _flows(source, damage):
        remark = said.get(copied.id)
        if remark is not None and isinstance(copied, http.HTTPFlow):
            put(copied, remark)
            marked += 1
        writer.add(copied)
    return marked


def _flows(source: BinaryIO, damage: Damage | None) -> Iterator[flow.Flow]:
    stream = iter(FlowReader(source).stream())
    while damage is None or source.tell() < damage.offset:
        try:
            yield next(stream)
        except StopIteration:
            return
        except exceptions.FlowReadException:
            return  # what regtrace's own reader, which looks at less of a flow, could still read
