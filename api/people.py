"""Checks of what a caller names, at the doors."""

from __future__ import annotations

from api.settings import Settings
from recall.errors import NotFound, WhyrecError


class Unusable(WhyrecError):
    """A question that is well formed and can't be asked: the caller's to mend."""


def check_platform(settings: Settings, platform: str | None) -> None:
    """NotFound for an asking platform that the configuration does not declare."""
    if platform is not None and platform not in settings.platforms:
        known = ", ".join(sorted(settings.platforms))
        raise NotFound(f"no platform {platform!r}; have {known or 'none'}")
