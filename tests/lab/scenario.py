"""A scenario as its YAML file says it, checked when it is read.

    summary: what is done and what happens, for people
    through: registry | nginx          what the client pushes to; registry when left out
    faults: [names from faults.py]
    prepare: [steps]                   done before, in a healthy laboratory, without the proxy
    steps: [steps]                     what is captured
    together: true                     all steps at the same time; else one after another
    client: {exit: status of the last step, says: [regexes, each found in its output]}
                                       (with `together` this holds for every step)
    expect: what the report must say, see expect.py
    timeout: seconds for one step

A step is `{run: docker-push, image: team/app:1}`; `layers` (1) and `seed` (the scenario's
name) choose the content of an image that is pushed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

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
    prepare: tuple[Step, ...] = ()
    together: bool = False
    timeout: float = 150


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
    wrong += [f"unknown fault {fault}" for fault in said.get("faults", ()) if fault not in FAULTS]
    steps = [*said.get("prepare", ()), *said.get("steps", ())]
    wrong += [f"unknown run: {step['run']}" for step in steps if step["run"] not in CLIENTS]
    if said.get("through", "registry") not in ("registry", "nginx"):
        wrong.append(f"through: is registry or nginx, not {said['through']}")
    if wrong:
        raise ScenarioError(f"{path.name}: {'; '.join(wrong)}")
