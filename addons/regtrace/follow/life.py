"""The life of a transfer and of an operation, as tables.

Theory of operation
-------------------
A transfer is one blob or one manifest on its way. Each chain of its legs (a request with the
redirects followed from it) is one *event*; ``TRANSFER_LIFE`` says where an event leads. A pair that
is not in the table changes nothing: clients probe, cancel and repeat in every order.

A transfer that is ``FAILED`` and goes on, well or badly, is in a new attempt; nothing else starts
one. So a mount that was declined, an existence probe that was refused before an upload, or a 401
that was answered with a token are no failed attempts.

An operation ends when its manifest is in place, or when its client has been silent for longer than
its own back-off. Its ``Ending`` follows from its transfers and its session legs.

Rules for editing: add a row, never a special case in the code that walks the table. The diagram in
the documentation is drawn from these tables.

Source: distribution-spec "Push" and "Pull"; the clients' order of requests as moby push_v2.go,
containerd pusher.go and containers/image docker_image_dest.go have it.
"""

from __future__ import annotations

from enum import Enum


class Event(str, Enum):
    """What one chain of a transfer says."""

    ABSENT = "absent"  # HEAD or GET: 404
    PRESENT = "present"  # HEAD: 2xx, or a redirect that was not followed here
    DOUBTED = "doubted"  # HEAD: any other refusal
    OPENED = "opened"  # POST: 202, an upload session
    MOUNTED = "mounted"  # POST: 201
    WRITTEN = "written"  # PATCH: 2xx
    COMMITTED = "committed"  # PUT: 2xx
    CANCELLED = "cancelled"  # DELETE of a session, whatever the answer
    READ = "read"  # GET: 200, all of it
    PART = "part"  # GET: 206
    UNREAD = "unread"  # GET: an error, or cut off
    SENT_ON = "sent-on"  # no HEAD: a redirect that was not followed here
    REFUSED = "refused"  # anything else that was answered with an error, or that leads nowhere
    BROKEN = "broken"  # anything else without a complete answer


class State(str, Enum):
    NEW = "new"
    ABSENT = "absent"
    DOUBTED = "doubted"
    OPEN = "open"
    STORED = "stored"
    COMMITTED = "committed"
    VERIFIED = "verified"
    EXISTS = "exists"
    MOUNTED = "mounted"
    PART = "part"
    READ = "read"
    SENT_ON = "sent-on"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Fate(str, Enum):
    """How a transfer ended, in the words of the report."""

    UPLOADED = "uploaded"
    DOWNLOADED = "downloaded"
    EXISTED = "existed"
    MOUNTED = "mounted"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


class Ending(str, Enum):
    """How an operation ended, in the words of the report."""

    OK = "ok"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


_UPLOAD: dict[Event, State] = {
    Event.OPENED: State.OPEN,
    Event.MOUNTED: State.MOUNTED,
    Event.WRITTEN: State.STORED,
    Event.COMMITTED: State.COMMITTED,
    Event.READ: State.READ,
    Event.PART: State.PART,
    Event.UNREAD: State.FAILED,
    Event.REFUSED: State.FAILED,
    Event.BROKEN: State.FAILED,
}
_PROBE: dict[Event, State] = {
    Event.ABSENT: State.ABSENT,
    Event.PRESENT: State.EXISTS,
    Event.DOUBTED: State.DOUBTED,
    # Also after a failure: what became of that attempt is not known.
    Event.SENT_ON: State.SENT_ON,
}
_AFTER_COMMIT: dict[Event, State] = {
    Event.PRESENT: State.VERIFIED,
    # docker reads each blob back after its PUT and gives up when it can't (blob_writer.go Commit).
    Event.ABSENT: State.FAILED,
    Event.DOUBTED: State.FAILED,
    Event.REFUSED: State.FAILED,
    Event.BROKEN: State.FAILED,
    Event.OPENED: State.OPEN,
}
_WRITE: dict[Event, State] = {
    Event.OPENED: State.OPEN,
    Event.MOUNTED: State.MOUNTED,
    Event.COMMITTED: State.COMMITTED,
    Event.REFUSED: State.FAILED,
    Event.BROKEN: State.FAILED,
}

TRANSFER_LIFE: dict[State, dict[Event, State]] = {
    State.NEW: _PROBE | _UPLOAD,
    State.ABSENT: _PROBE | _UPLOAD,
    State.DOUBTED: _PROBE | _UPLOAD,
    State.OPEN: _UPLOAD | {Event.CANCELLED: State.CANCELLED, Event.PRESENT: State.EXISTS},
    State.STORED: _UPLOAD | {Event.CANCELLED: State.CANCELLED},
    State.COMMITTED: _AFTER_COMMIT,
    State.VERIFIED: _AFTER_COMMIT,
    State.EXISTS: _WRITE
    | {Event.READ: State.READ, Event.PART: State.PART, Event.UNREAD: State.FAILED},
    State.MOUNTED: _AFTER_COMMIT | {Event.PRESENT: State.MOUNTED},
    State.PART: _WRITE | {Event.READ: State.READ, Event.UNREAD: State.FAILED},
    # Who has all of it may drop the same download on another connection (containerd, CRI-O).
    State.READ: _WRITE,
    State.SENT_ON: _PROBE | _UPLOAD,
    State.CANCELLED: _PROBE | _UPLOAD,
    State.FAILED: _PROBE | _UPLOAD,
}

FATES: dict[State, Fate] = {
    State.NEW: Fate.INCOMPLETE,
    State.ABSENT: Fate.INCOMPLETE,
    State.DOUBTED: Fate.FAILED,
    State.OPEN: Fate.INCOMPLETE,
    State.STORED: Fate.INCOMPLETE,
    State.COMMITTED: Fate.UPLOADED,
    State.VERIFIED: Fate.UPLOADED,
    State.EXISTS: Fate.EXISTED,
    State.MOUNTED: Fate.MOUNTED,
    State.PART: Fate.DOWNLOADED,
    State.READ: Fate.DOWNLOADED,
    State.SENT_ON: Fate.INCOMPLETE,
    State.CANCELLED: Fate.INCOMPLETE,
    State.FAILED: Fate.FAILED,
}


def live(events: list[Event]) -> tuple[State, int]:
    """Where these events lead, and in how many attempts."""
    state, attempts = State.NEW, 1
    for event in events:
        after = TRANSFER_LIFE[state].get(event)
        if after is None:
            continue
        if state is State.FAILED:
            attempts += 1
        state = after
    return state, attempts
