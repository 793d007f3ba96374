"""A scenario as its YAML file says it, checked when it is read.

    summary: what is done and what happens, for people
    through: registry | nginx | middlebox    what the client pushes to; registry when left out
    faults: [names from faults.yaml]
    always: [the same]                 what is so from the beginning, also while preparing
    prepare: [steps]                   done before, without the faults and without the proxy
    steps: [steps]                     what is captured
    together: true                     all steps at the same time; else one after another
    client: {exit: status of the last step, says: [regexes, each found in its output]}
                                       (with `together` this holds for every step)
    expect: what the report must say, see expect.py
    restart_after: seconds after which the registry is restarted, while the steps run
    timeout: seconds for one step
    live: always                       belongs to the smaller set that `scripts/test --lab` runs

A step is `{run: docker-push, image: team/app:1}`. What is pushed is chosen by `layers` (1), their
`size` (bytes), the `platforms` of an index, and the `seed` (the scenario's name) of its random
bytes; or, for ctr, it is one that was `pulled`. `args` are more options of the command;
`interrupt` is after how many seconds Ctrl-C comes (its exit status is then -2).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from . import world
from .clients import CLIENTS, Step
from .faults import FAULTS

FOLDER = Path(__file__).parent / "scenarios"


class ScenarioError(Exception):
    """A scenario file says something that does not exist."""


@dataclass(frozen=True, slots=True)
class Client:
    """How the client must end."""

    exit: int
    says: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run of the laboratory."""

    name: str
    summary: str
    steps: tuple[Step, ...]
    client: Client
    expect: dict[str, Any]
    through: str = "registry"
    faults: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    prepare: tuple[Step, ...] = ()
    together: bool = False
    restart_after: float | None = None
    timeout: float = 150
    live: str = ""


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> Scenario:
    """Read one scenario. Raises ScenarioError that names the file and the word that is wrong."""
    path = FOLDER / f"{name}.yaml"
    if not path.exists():
        raise ScenarioError(f"no scenario {name}; `lab list` shows all")
    said = yaml.safe_load(path.read_text())
    _check(path, said)
    client = said.pop("client")
    return Scenario(
        name=name,
        summary=" ".join(said.pop("summary").split()),
        faults=tuple(said.pop("faults", ())),
        always=tuple(said.pop("always", ())),
        prepare=_steps(said.pop("prepare", ()), name),
        steps=_steps(said.pop("steps"), name),
        client=Client(client["exit"], tuple(client.get("says", ()))),
        **said,
    )


def _steps(said: list[dict[str, Any]], seed: str) -> tuple[Step, ...]:
    return tuple(Step(**{"seed": seed, **step}) for step in said)


def _check(path: Path, said: dict[str, Any]) -> None:
    known = {field.name for field in fields(Scenario)} - {"name"}
    wrong = [f"unknown word {word}" for word in said.keys() - known]
    wrong += [
        f"{word} is missing"
        for word in ("summary", "steps", "client", "expect")
        if word not in said
    ]
    faults = [*said.get("faults", ()), *said.get("always", ())]
    wrong += [f"unknown fault {fault}" for fault in faults if fault not in FAULTS]
    steps = [*said.get("prepare", ()), *said.get("steps", ())]
    if said.get("live", "always") != "always":
        wrong.append(f"live: is always or left out, not {said['live']}")
    wrong += [f"unknown run: {step['run']}" for step in steps if step["run"] not in CLIENTS]
    if said.get("through", "registry") not in world.FRONT_PORTS:
        wrong.append(f"through: is one of {', '.join(world.FRONT_PORTS)}, not {said['through']}")
    if wrong:
        raise ScenarioError(f"{path.name}: {'; '.join(wrong)}")
