"""The laboratory of real parts: see `python tests/lab --help`.

    scenarios/*.yaml   what is done, what the client must say, what the report must say
    faults.yaml        what can be broken, by name, and which Settings of a run that changes
    settings.py        how all parts are set up for one run
    clients.py         what a step can run: docker push, skopeo copy, ...
    parts/             how each real part is configured, started and stopped, from the Settings
    run.py             one run of one scenario, from nothing to its capture and sidecar
    box.py             the namespaces all this lives in
    expect.py          compares a report with what a scenario expects
    reading.py         makes a report of a capture, by both ways
    token_server.py, middlebox.py    the parts that no package has

A new scenario is one YAML file (scenario.py says what may stand there). If it needs a new fault,
that is an entry in faults.yaml; most are lines of the configuration file of a part.

The modules import each other relatively, so the package works under any name: as `lab` when
`python tests/lab` runs it, as `lab` or `tests.lab` when pytest collects it.
"""
