"""What mitmproxy loads: mitmdump -s addons/registry.py

Follows container pushes and pulls, and says which leg failed, why, and who must act. Options begin
with ``registry_``; see them with: mitmdump -s addons/registry.py --options
"""

import logging

addons = []
try:
    from regtrace.proxy import suite
except ImportError as fault:
    missing = fault.name or str(fault)
    # mitmproxy's stand-alone binary brings a Python of its own, without our dependencies.
    advice = (
        "Install mitmproxy and regtrace into one environment (pip install regtrace, or"
        " pip install . in the clone) and run the mitmdump of that environment."
    )
    if missing.startswith("regtrace"):
        advice = "This copy is not whole: clone or install it again, and load the script in it."
    # An error that is logged while mitmproxy starts ends it; one on a reload leaves it running.
    logging.error("regtrace can't load the Python package %s. %s", missing, advice)
else:
    addons = suite.once()
