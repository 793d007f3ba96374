"""RT052: clients are redirected to a storage that only the registry can reach."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import host_and_port, is_clusters_own, is_public
from regtrace.diagnose.config.traffic import Ruling, Traffic, confirmed, refuted
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.settings import SetUp
from regtrace.wire.term import host


def _against(wrong: Wrong, traffic: Traffic) -> Ruling | None:
    url = wrong.spots[0].setting.url
    for leg in traffic.to_registry():
        if url and leg.redirects and leg.location:
            if leg.location.authority == url.authority:
                return confirmed("the registry redirects clients to this address", leg)
            if leg.location.authority != leg.url.authority:
                return refuted("the registry redirects clients to another address", leg)
    return None


@check(
    number="RT052",
    slug="s3-endpoint-not-for-clients",
    title="Clients are redirected to the storage at {endpoint}, which they can't reach",
    cause=(
        "The registry does not pass layers on itself: it redirects clients to its storage, at"
        " regionendpoint. {endpoint} is a name or an address that only the registry's own machine or"
        " cluster knows."
    ),
    fix=(
        (
            "Set storage.redirect.disable: true (Harbor chart: disableredirect), so that the registry"
            " passes the layers on, or set regionendpoint to a name that clients reach, and restart the"
            " registry."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#redirect",
        "https://distribution.github.io/distribution/storage-drivers/s3/",
    ),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("storage-endpoint-unreachable",),
    fires="""
==> config.yml <==
version: 0.1
storage:
  s3: {region: us-east-1, regionendpoint: "http://minio:9000", forcepathstyle: true, bucket: registry}
""",
    silent="""
==> config.yml <==
version: 0.1
storage:
  s3: {region: us-east-1, regionendpoint: "http://minio:9000", forcepathstyle: true, bucket: registry}
  redirect: {disable: true}
""",
    also_fires=(
        """
==> config.yml <==
version: 0.1
http: {host: "https://registry.example.com"}
storage:
  s3: {region: us-east-1, regionendpoint: "https://s3.internal", forcepathstyle: true, bucket: registry}
""",
    ),
    against=_against,
)
def s3_endpoint_not_for_clients(setup: SetUp) -> Verdict:
    on_s3 = [each for each in setup.registries if each.driver == "s3"]
    found = []
    for side in on_s3:
        endpoint = side.storage("regionendpoint")
        settings = side.settings
        elsewhere = settings.there("middleware.storage") or side.storage("redirectendpoint")
        if endpoint is None or settings.flag("storage.redirect.disable") or elsewhere:
            continue
        name = endpoint.url.host if endpoint.url else host_and_port(endpoint.text)[0]
        own = is_clusters_own(name)
        private = reach(name) is Reach.PRIVATE and is_public(setup)
        if own or private:
            found.append(
                Wrong(
                    spots=(Spot(endpoint, "where clients are redirected to"),),
                    fields={"endpoint": host(endpoint.url.authority if endpoint.url else name)},
                    confidence=Confidence.LIKELY if own else Confidence.POSSIBLE,
                    severity=None if own else Severity.WARNING,
                )
            )
    return tuple(found) or (PASSES if on_s3 else DOES_NOT_APPLY)
