"""The profiles as a list: where network plugins differ (docs/profiles.md)."""

from __future__ import annotations

from ringfence.engine.compiled import Profile
from ringfence.report.listing import Listing, Row

_BLOCKS_AND_PODS = (
    "an ipBlock never matches a pod, whichever address it has; "
    "0.0.0.0/0 means the world outside"
)
_DIFFERENCES = {
    Profile.KUBERNETES: (
        "none: the reference",
        "the API's documentation, and the choices of semantics.md",
    ),
    Profile.CALICO: (
        "none known: an ipBlock matches pod addresses there too",
        "projectcalico/calico#6634 compares the plugins",
    ),
    Profile.CILIUM: (
        _BLOCKS_AND_PODS,
        "cilium/cilium#9209, cilium/cilium#28667",
    ),
}
"""What each answers otherwise than the reference, and who says so."""


def profiles() -> Listing:
    """List what each profile answers otherwise."""
    return Listing(
        "ringfence/profiles/v1",
        ("PROFILE", "DIFFERENCE", "SOURCE"),
        tuple(_row(profile, *_DIFFERENCES[profile]) for profile in Profile),
    )


def _row(profile: Profile, difference: str, source: str) -> Row:
    document = {"profile": profile.value, "difference": difference, "source": source}
    return Row(profile.value, (profile.value, difference, source), document)
