from __future__ import annotations

from pathlib import Path

import pytest

from c2v.config import (
    cache_dir,
    config_dir,
    config_path,
    data_dir,
    load_settings,
    models_dir,
    set_config_value,
)
from c2v.errors import UsageError


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MODEL", "LIBRARY", "DEVICE", "PRECISION", "HNSW_EF"):
        monkeypatch.delenv(f"C2V_{name}", raising=False)
    monkeypatch.setenv("C2V_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_home_holds_everything(clean: Path) -> None:
    assert {data_dir(), cache_dir(), config_dir()} == {
        clean / "data", clean / "cache", clean / "config",
    }  # fmt: skip
    assert models_dir() == clean / "data" / "models"
    assert not clean.exists()


def test_platform_folders_without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("C2V_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert "c2v" in data_dir().parts
    assert len({data_dir(), cache_dir(), config_dir()}) == 3


def test_flag_beats_variable_beats_file_beats_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().model == "auto"
    set_config_value("model", "from-file")
    assert load_settings().model == "from-file"
    monkeypatch.setenv("C2V_MODEL", "from-variable")
    assert load_settings().model == "from-variable"
    assert load_settings(model="from-flag").model == "from-flag"
    assert load_settings(model=None).model == "from-variable"
    monkeypatch.setenv("C2V_MODEL", "")
    assert load_settings().model == "from-file"


def test_numbers_from_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    set_config_value("hnsw_ef", "50")
    assert load_settings().hnsw_ef == 50
    assert config_path().read_text() == "hnsw_ef = 50\n"
    monkeypatch.setenv("C2V_HNSW_EF", "70")
    assert load_settings().hnsw_ef == 70
    assert load_settings(hnsw_ef=90).hnsw_ef == 90


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("modle = 'x'", "unknown setting 'modle'"),
        ("model = 3", "model is 3"),
        ("hnsw_ef = 'many'", "hnsw_ef is 'many'"),
        ("hnsw_ef = true", "hnsw_ef is True"),
        ("hnsw_ef = 1", "hnsw_ef is 1"),
        ("device = 'gpu'", "device is 'gpu'"),
        ("precision = 'int4'", "precision is 'int4'"),
        ("model = ''", "model is empty"),
        ("[model]\nname = 'x'", "model is"),
        ("model = ", "not valid TOML"),
    ],
)
def test_bad_file(content: str, problem: str) -> None:
    config_path().parent.mkdir(parents=True)
    config_path().write_text(content)
    with pytest.raises(UsageError, match=problem) as caught:
        load_settings()
    assert caught.value.hint


def test_bad_variable_and_flag_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--hnsw-ef"):
        load_settings(hnsw_ef="x")
    monkeypatch.setenv("C2V_HNSW_EF", "x")
    with pytest.raises(UsageError, match="C2V_HNSW_EF"):
        load_settings()


def test_setting_keeps_other_lines() -> None:
    config_path().parent.mkdir(parents=True)
    config_path().write_text("# mine\nmodel = 'a'  # old\ndevice = 'cpu'\n")
    set_config_value("model", 'quo"ted \\ name')
    assert config_path().read_text().startswith("# mine\ndevice = 'cpu'\n")
    assert load_settings().model == 'quo"ted \\ name'
    set_config_value("model", None)
    assert load_settings().model == "auto"
    assert [path.name for path in config_path().parent.iterdir()] == ["config.toml"]


def test_a_refused_value_writes_nothing() -> None:
    for key, value in (("device", "gpu"), ("colour", "red"), ("hnsw_ef", "-3")):
        with pytest.raises(UsageError):
            set_config_value(key, value)
    assert not config_path().exists()


def test_settings_of_the_graph_that_no_graph_can_have() -> None:
    """Refused where they are set, or said with the command that mends them: no library is lost."""
    with pytest.raises(UsageError, match="hnsw_m is 200") as caught:
        set_config_value("hnsw_m", "200")
    assert "128" in caught.value.hint
    assert load_settings().hnsw_m == 16
    set_config_value("hnsw_ef_construction", "10")
    with pytest.raises(UsageError, match="hnsw_ef_construction is 10, less than hnsw_m") as caught:
        load_settings()
    command, key, value = caught.value.hint.rsplit(" ", 2)
    assert command == "c2v config set"
    set_config_value(key, value)
    assert load_settings().hnsw_ef_construction == 16
