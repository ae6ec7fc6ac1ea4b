"""Assessment's settings from the environment: what must be there, what is refused, and nothing shown of a value."""

from __future__ import annotations

import pytest

from hosting.settings import SettingsError, load_settings
from services.assessment.settings import RULES_FILE, AssessmentSettings

NEEDED = {
    "CLAIMFLOW_ASSESSMENT_DATABASE": "postgresql+asyncpg://claims@127.0.0.1/assessment",
    "CLAIMFLOW_ASSESSMENT_POLICY_URL": "http://127.0.0.1:8201",
}


def loaded(**changes: str) -> AssessmentSettings:
    more = {f"CLAIMFLOW_ASSESSMENT_{name.upper()}": value for name, value in changes.items()}
    return load_settings(AssessmentSettings, "assessment", NEEDED | more)


def test_two_addresses_are_enough() -> None:
    settings = loaded()

    assert (settings.lookup_seconds, settings.rules_file) == (2.0, RULES_FILE)


@pytest.mark.parametrize(
    "name, value",
    [
        ("policy_url", "secret.example"),
        ("policy_url", ""),
        ("lookup_seconds", "0"),
        ("lookup_seconds", "soon"),
        ("lookup_failures_max", "0"),
        ("lookup_pause_seconds_max", "0.5"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(**{name: value})

    assert f"CLAIMFLOW_ASSESSMENT_{name.upper()}" in str(refused.value)
    assert len(value) < 4 or value not in str(refused.value)


def test_a_misspelt_setting_is_refused_with_a_guess() -> None:
    with pytest.raises(SettingsError, match="did you mean CLAIMFLOW_ASSESSMENT_LOOKUP_SECONDS"):
        loaded(lookup_second="1")


def test_without_the_policy_system_it_does_not_start() -> None:
    with pytest.raises(SettingsError, match="CLAIMFLOW_ASSESSMENT_POLICY_URL: is missing"):
        load_settings(
            AssessmentSettings, "assessment", {"CLAIMFLOW_ASSESSMENT_DATABASE": "postgresql+asyncpg://x/assessment"}
        )
