"""The page that text is drawn on: its width, its colours, and nothing of what strangers wrote.

Every string passes ``Page.text``, so that it can neither move the cursor nor become markup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO

from rich.console import Console
from rich.text import Text

from regtrace.report.visible import visible

_PROSE = 120
"""Columns; longer lines of prose tire."""

_LONGEST = 2000
"""Characters of one string; a stranger shall not flood the page."""

_ASCII = str.maketrans(
    {"→": "->", "←": "<-", "✗": "broken", "…": "...", "·": "-", "\N{MULTIPLICATION SIGN}": "x"}
)


def drawn(draw: Callable[[Console], None], *, width: int | None, color: bool | None) -> str:
    """What is drawn on a console of this width; what is None is taken from standard output.

    Without ``color`` there is no escape sequence in it.
    """
    here = Console()
    colored = here.is_terminal if color is None else color
    page = StringIO()
    console = Console(
        file=page,
        width=width or here.width,
        force_terminal=colored,
        color_system="standard" if colored else None,
        no_color=None if color is None else not color,
    )
    draw(console)
    return page.getvalue()


class Page:
    """Puts lines on the console. The only place that makes text drawable, and that prints."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = console.width
        self.ascii = console.options.ascii_only

    def text(self, string: str, style: str = "", *, keep: str = "", limit: int = _LONGEST) -> Text:
        shown = visible(string, keep=keep, limit=limit)
        if self.ascii:
            shown = shown.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
        return Text(shown, style=style)

    def line(self, *parts: Text) -> None:
        """One line, never wrapped."""
        line = Text.assemble(*parts)
        line.rstrip()
        self.console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)

    def prose(self, lead: Text, body: Text) -> None:
        """The body beside its lead, wrapped, every further line as far indented."""
        room = max(min(self.width, _PROSE) - lead.cell_len, 20)
        for number, line in enumerate(body.wrap(self.console, room)):
            self.line(Text(" " * lead.cell_len) if number else lead, line)

    def beside(self, first: Text, *others: Text) -> None:
        """All on one line where that fits, else the others on a line of their own."""
        gap = Text("   ")
        whole = gap.join([first, *others])
        if whole.cell_len <= self.width:
            self.line(whole)
        else:
            self.prose(Text(), first)
            self.prose(Text("    "), gap.join(others))

    def chain(self, lead: Text, links: Sequence[Text]) -> None:
        """The links after the lead, joined by arrows; lines break only between two links."""
        line = lead
        for number, link in enumerate(links):
            arrow = self.text(" → ", "dim") if number else Text()
            if number and line.cell_len + arrow.cell_len + link.cell_len > self.width:
                self.line(line)
                line, arrow = Text(" " * lead.cell_len), self.text("→ ", "dim")
            line = Text.assemble(line, arrow, link)
        self.line(line)
