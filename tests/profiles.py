"""How far tests look: as far as a change needs, or, in ``make thorough``, far beyond.

Two profiles of hypothesis, chosen by ``pytest --hypothesis-profile``; neither has deadlines, since
a loaded machine is no fault of the code. Tests that say themselves
how many examples they need, or at how many moments something is killed, multiply that here.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

USUAL = 100
"""Examples of a test that says nothing, without a profile."""
THOROUGH, USUAL_PROFILE = "thorough", "usual"
settings.register_profile(USUAL_PROFILE, max_examples=USUAL, deadline=None)
settings.load_profile(USUAL_PROFILE)
settings.register_profile(
    THOROUGH,
    max_examples=30 * USUAL,
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def is_thorough() -> bool:
    """Whether the profile is the long one; pytest has loaded it before it imports a test."""
    return settings.default is not None and settings.default.max_examples > USUAL


def examples(usual: int) -> int:
    """So many examples in a usual run, and more in the same proportion in a thorough one."""
    assert settings.default is not None
    return max(1, usual * settings.default.max_examples // USUAL)


def moments(usual: int, thorough: int) -> int:
    """At how many moments something is killed, cut or filled, or so many cases of a kind."""
    return thorough if is_thorough() else usual
