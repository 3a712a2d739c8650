"""Each value says where it comes from, and no secret is shown."""

from __future__ import annotations

import json

import pytest

from api.settings import load_settings
from recall.errors import ConfigError
from tests.whole import whyrec


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "whyrec.toml"
    path.write_text(
        '[serve]\nport = 9\n[llm]\napi_key = "sk-from-file"\n[store]\nurl = "postgresql://me:pa55@host/db"\n'
        '[[llm.fallbacks]]\nbase_url = "http://b/v1"\napi_key = "sk-second"\n'
    )
    return path


def shown(config, **environment):
    done = whyrec("config", "show", "--all", "--json", "-c", config, **environment)
    assert done.exit_code == 0, done.output
    return {each["key"]: each for each in json.loads(done.stdout)}, done.stdout


def test_a_value_names_the_variable_the_file_or_the_default(config):
    found, _ = shown(config, WHYREC_SERVE__HOST="::1", OPENAI_MODEL="m")
    assert found["serve.port"]["origin"] == str(config)
    assert (found["serve.host"]["value"], found["serve.host"]["origin"]) == ("::1", "WHYREC_SERVE__HOST")
    assert found["serve.max_body_bytes"]["origin"] == "default"
    assert (found["llm.model"]["value"], found["llm.model"]["origin"]) == ("m", "OPENAI_MODEL")


def test_secrets_stay_hidden(config):
    found, text = shown(config)
    assert not any(secret in text for secret in ("sk-from-file", "sk-second", "pa55"))
    assert found["llm.fallbacks.0.base_url"]["value"] == "http://b/v1"


def test_a_secret_may_come_as_a_file(config, tmp_path, monkeypatch):
    secret = tmp_path / "url"
    secret.write_text("sqlite:////tmp/other.db\n")
    monkeypatch.setenv("WHYREC_STORE__URL", "")
    monkeypatch.setenv("WHYREC_STORE__URL_FILE", str(secret))
    assert load_settings(config).store.url == "sqlite:////tmp/other.db"


def test_a_secret_given_twice_is_refused(config, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ConfigError, match="both set"):
        load_settings(config)


def test_a_secret_file_that_is_missing_is_named(config, tmp_path, monkeypatch):
    monkeypatch.setenv("WHYREC_LLM__API_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match=r"WHYREC_LLM__API_KEY_FILE: .*absent: can't be read"):
        load_settings(config)
