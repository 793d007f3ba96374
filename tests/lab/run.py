"""One run of one scenario, inside the box: parts, preparation, faults, capture, sidecar.

Every run starts from nothing: an empty bucket, an empty engine, parts started with this run's
settings. So it does not matter how the run before it ended.
"""

from __future__ import annotations

import datetime
import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import yaml

from . import clients, faults, parts, process, world
from .clients import Done
from .parts import ceph, mitmdump, registry
from .scenario import Scenario
from .settings import Settings
from .versions import versions


@dataclass(frozen=True, slots=True)
class Files:
    """What a run leaves in its folder."""

    folder: Path
    name: str

    def __getitem__(self, ending: str) -> Path:
        return self.folder / f"{self.name}.{ending}"


def run(scenario: Scenario, *, addon: bool) -> list[str]:
    """Run it; returns what the client did otherwise than the scenario says, in sentences.

    Raises PartError when the laboratory itself fails.
    """
    files = _fresh_folder(scenario.name)
    work = world.TEMP / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    before = faults.apply(scenario.always, Settings(through=scenario.through))
    settings = faults.apply(scenario.faults, before)

    ceph.start(before)
    ceph.empty()
    clients.forget()
    parts.start(before if scenario.prepare else settings)
    if scenario.prepare:
        _prepare(scenario, before, work)
        parts.restart(before, settings)

    output = mitmdump.Output(files["mitm"], files["live.txt"], files["live.json"])
    mitmdump.start(output, addon=addon)
    try:
        clients.log_in(settings.address, settings.client)
        trust = {"proxy": settings.client["trusts_proxy"], "scheme": settings.client["scheme"]}
        clients.set_up_trust(settings.address, **trust)
        plain = settings.address if trust["scheme"] == "http" else ""
        clients.start_engines(scenario.steps, mitmdump.URL, insecure=plain)
        disturbance = threading.Timer(scenario.restart_after or 0, registry.start, [settings])
        if scenario.restart_after is not None:
            disturbance.start()
        done = clients.do(
            scenario.steps,
            settings.address,
            mitmdump.URL,
            scenario.timeout,
            work,
            together=scenario.together,
        )
        mitmdump.check(output)
    finally:
        clients.stop_engines()
        mitmdump.stop()

    files["client.txt"].write_text("".join(step.output for step in done))
    shutil.copy(process.log_of("registry"), files["registry.log"])
    if settings.through == "nginx":
        shutil.copy(process.log_of("nginx"), files["nginx.log"])
    files["yaml"].write_text(_sidecar(scenario, done, addon=addon))
    return [problem for each in _judged(scenario, done) for problem in _problems(scenario, each)]


def _fresh_folder(name: str) -> Files:
    folder = world.RUNS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Files(folder, name)


def _prepare(scenario: Scenario, settings: Settings, work: Path) -> None:
    clients.log_in(settings.address, settings.client)
    clients.set_up_trust(settings.address)
    clients.start_engines(scenario.prepare, None)
    for done in clients.do(scenario.prepare, settings.address, None, scenario.timeout, work):
        if done.exit != 0:
            raise process.PartError(f"preparation failed: {done.command}\n{done.output}")
    clients.stop_engines()


def _judged(scenario: Scenario, done: list[Done]) -> list[Done]:
    """The steps that must end as the scenario says."""
    return done if scenario.together else done[-1:]


def _problems(scenario: Scenario, step: Done) -> list[str]:
    problems = []
    if step.exit != scenario.client.exit:
        problems.append(f"the client ended with {step.exit}, not {scenario.client.exit}")
    unsaid = [each for each in scenario.client.says if not re.search(each, step.output)]
    problems += [f"the client did not say {each!r} but:\n{step.output}" for each in unsaid]
    return problems


def _sidecar(scenario: Scenario, done: list[Done], *, addon: bool) -> str:
    """What the capture is, how it was made and what it must show."""
    judged = _judged(scenario, done)
    said = [_essential(step.output, scenario.client.says) for step in judged]
    content = {
        "name": scenario.name,
        "summary": scenario.summary,
        "made": {
            "scenario": f"tests/lab/scenarios/{scenario.name}.yaml",
            "faults": [*scenario.always, *scenario.faults],
            "addon": addon,
            "commands": [step.command for step in done],
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        },
        "versions": versions(),
        "client": {"exit": judged[-1].exit, "says": [line for lines in said for line in lines]},
        "expect": scenario.expect,
    }
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return text


def _essential(output: str, sentences: tuple[str, ...]) -> list[str]:
    """The lines that the scenario asks for, and the last one; without repetition."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    wanted = [line for line in lines if any(re.search(each, line) for each in sentences)]
    return list(dict.fromkeys([*wanted, *lines[-1:]]))
