"""``regtrace annotate``: a capture that tells its story in mitmproxy's own windows."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from regtrace.cli.ending import USAGE, complain, end
from regtrace.diagnose.yamltext import Mistake
from regtrace.proxy.annotated import annotate as copy_annotated
from regtrace.proxy.annotated import read_remarks
from regtrace.proxy.capture import Reader, Unreadable, open_capture
from regtrace.proxy.guard import place_of
from regtrace.proxy.site import Site, read_site
from regtrace.report.model import Damage
from regtrace.report.visible import visible


@click.command()
@click.argument("source", metavar="IN.mitm")
@click.argument("target", metavar="OUT.mitm")
@click.option("--config", metavar="FILE", default="", help="As for regtrace report.")
@click.option("--rules", metavar="DIR", default="", help="As for regtrace report.")
@click.option("--force", is_flag=True, help="Replace OUT.mitm if it exists.")
def annotate(source: str, target: str, config: str, rules: str, force: bool) -> None:
    """Copy the capture IN.mitm to OUT.mitm, with a comment and a mark beside each flow.

    Opened in mitmproxy or mitmweb, it reads as a story even where regtrace is not installed, and
    can be filtered: ~comment "push team/app", ~marked.

    OUT.mitm holds every secret of IN.mitm. It is readable by you alone; share a report instead.

    \b
    Exit status: 0 it is done; 2 usage, or a capture that can't be read to its end
    (what could be read is still copied).

    \b
    Example:
      regtrace annotate push.mitm story.mitm && mitmweb -nr story.mitm
    """
    try:
        if os.path.lexists(target) and not force:
            end(f"{visible(target)}: exists; name another file, or add --force", USAGE)
        damage, marked = _annotate(source, Path(os.path.realpath(target)), read_site(config, rules))
    except Unreadable as fault:
        end(str(fault), USAGE)
    except Mistake as fault:
        end(visible(str(fault)), USAGE)
    except OSError as fault:
        end(f"{visible(target)}: can't be written: {fault.strerror}", USAGE)
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    complain(
        f"{visible(target)}: {marked} flows have a comment. It holds passwords and tokens as they"
        " went over the wire: keep it on this machine, and share a report instead"
    )
    if damage:
        where = f"{visible(source)}: damaged at byte {damage.offset}: {damage.reason}"
        complain(f"{where}; the flows before it are copied")
        sys.exit(USAGE)


def _annotate(source: str, target: Path, site: Site) -> tuple[Damage | None, int]:
    """What is broken in the source, and how many flows have a remark now."""
    with open_capture(source) as stream:
        if not stream.seekable():
            raise Unreadable(f"{visible(source)}: is read twice, so it must be a file")
        reader = Reader(source, stream)
        said = read_remarks(reader, site)
    # mkstemp gives mode 0600, and the capture may be its own target.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".regtrace-")
    try:
        with os.fdopen(handle, "wb") as copy, open_capture(source) as stream:
            marked = copy_annotated(stream, copy, said, reader.damage)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return reader.damage, marked
