from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import Settings, load_settings
from recall.errors import ConfigError


def _file(folder: Path, text: str) -> Path:
    path = folder / "whyrec.toml"
    path.write_text(text)
    return path


def _refusal(path: Path | None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    return str(caught.value)


def test_the_workspace_is_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_settings(_file(tmp_path, 'workspace = "data/here"'))
    assert settings.workspace == tmp_path / "data" / "here"
    assert settings.root == tmp_path


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _file(tmp_path, '[serve]\nport = 1\nhost = "::1"')
    monkeypatch.setenv("WHYREC_SERVE__PORT", "2")
    assert (load_settings(path).serve.port, load_settings(path).serve.host) == (2, "::1")


def test_an_empty_variable_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYREC_SERVE__PORT", "")
    assert load_settings(_file(tmp_path, "[serve]\nport = 1")).serve.port == 1


def test_a_missing_file_names_the_ways_to_give_one(tmp_path: Path) -> None:
    message = _refusal(tmp_path / "absent.toml")
    assert "absent.toml: no such file" in message and "--config" in message and "data sample" in message


def test_a_missing_default_file_is_no_error_where_none_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(required=False).workspace == tmp_path / "workspace"


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_settings(tmp_path / "absent.toml", required=False)


@pytest.mark.parametrize("broken", [b"[serve", b"a = 1\nb = \xff", b"\xef\xbb\xbfa="])
def test_what_is_not_toml_is_named(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "whyrec.toml"
    path.write_bytes(broken)
    assert _refusal(path).startswith(f"{path}: not TOML")


def test_a_wrong_value_is_named_with_file_and_key(tmp_path: Path) -> None:
    path = _file(tmp_path, '[serve]\nport = "many"')
    assert _refusal(path).startswith(f"{path}: serve.port = 'many'")


def test_a_wrong_value_of_the_environment_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHYREC_SERVE__PORT", "many")
    assert _refusal(_file(tmp_path, "")).startswith("WHYREC_SERVE__PORT: serve.port = 'many'")


def test_a_misspelt_key_gets_the_nearest_known_one(tmp_path: Path) -> None:
    assert "no key 'serve.prot'; did you mean 'port'?" in _refusal(_file(tmp_path, "[serve]\nprot = 1"))


def test_a_misspelt_section_of_the_environment_is_not_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHYREC_SERV__PORT", "1")
    assert "WHYREC_SERV__PORT: no section 'serv'; did you mean 'serve'?" in _refusal(_file(tmp_path, ""))


def test_all_wrong_keys_are_named_at_once(tmp_path: Path) -> None:
    assert len(_refusal(_file(tmp_path, "[serve]\nport = -1\nx = 1\ny = 2")).splitlines()) == 3


def test_every_section_forbids_unknown_keys_and_has_its_defaults() -> None:
    Settings()
    for name, field in Settings.model_fields.items():
        config = getattr(field.annotation, "model_config", None)
        assert config is None or config.get("extra") == "forbid", name


def test_a_misspelt_key_deep_in_a_platform_is_named_too(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        '[[platforms.cinema.events]]\npath = "r.csv"\ncolumns = {user = "u", item = "i", tme = "t"}',
    )
    message = _refusal(path)
    assert "no key 'platforms.cinema.events.0.columns.tme'; did you mean 'time'?" in message
    assert "'platforms.cinema.events.0.columns.time' is missing" in message


@pytest.mark.parametrize("rest", ['columns = {user = "u", item = "i", time = "t"}', "table = 'x'\nuser = 3"])
def test_passwords_stay_out_of_messages(tmp_path: Path, rest: str) -> None:
    path = _file(tmp_path, f'[[platforms.cinema.events]]\nurl = "postgresql://me:hunter2@db/x"\n{rest}')
    assert "hunter2" not in _refusal(path)


def test_a_wrong_url_is_shown_without_its_password(tmp_path: Path) -> None:
    path = _file(
        tmp_path, 'workspace = ["postgresql://me:hunter2@db/x"]\n[serve]\nport = "x://me:hunter2@db"'
    )
    assert "x://(hidden)@db" in _refusal(path) and "hunter2" not in _refusal(path)
