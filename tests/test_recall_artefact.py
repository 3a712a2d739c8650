from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recall.artefact import Artefact, activate, verify, write_artefact
from recall.current import Current
from recall.errors import ArtefactError, NotFound
from recall.factorize import als_arrays
from recall.generations import Generations
from recall.idmap import IdMap
from recall.train_config import TrainConfig


def make(models: Generations, *, seed: int = 0, items: int = 40) -> Path:
    factors = np.random.default_rng(seed).normal(size=(items, 4)).astype(np.float32)
    with models.new("als") as part:
        write_artefact(
            part,
            manifest={
                "build": "b",
                "reference_time": 0,
                "trained": seed,
                "config": {"factors": 4},
                "versions": {},
                "platforms": ("cinema",),
            },
            items=IdMap.of([f"i{n:03}" for n in range(items)]),
            listed=np.ones((1, items), bool),
            arrays={"als": als_arrays(factors, TrainConfig(factors=4)), "other": {"none": np.zeros((0, 3))}},
        )
    return models.folder / part.stem


def test_what_was_written_is_what_is_opened(tmp_path: Path) -> None:
    artefact = verify(make(Generations(tmp_path)))
    assert artefact.items.names(np.array([0, 39])) == ["i000", "i039"]
    assert artefact.platforms == ("cinema",)
    assert artefact.arrays["als"]["sorted"].shape == (40, 4)
    assert artefact.arrays["other"]["none"].shape == (0, 3)


def test_writing_to_an_opened_array_leaves_the_file_alone(tmp_path: Path) -> None:
    folder = make(Generations(tmp_path))
    Artefact.open(folder).arrays["als"]["sorted"][:] = 7
    verify(folder)


def _edit(key: str, value: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest[key] = value
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return damage


def _swap(file: str, array: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / file, array)


def _outside(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace("als/gram.npy", "../gram.npy"))


def _pickled(folder: Path) -> None:
    np.save(folder / "als/gram.npy", np.array([{}], dtype=object), allow_pickle=True)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "manifest missing": lambda folder: (folder / "manifest.json").unlink(),
    "manifest cut": lambda folder: (folder / "manifest.json").write_text('{"format": 1, "bui'),
    "manifest is a list": lambda folder: (folder / "manifest.json").write_text("[]"),
    "another format": _edit("format", 1),
    "unknown field": _edit("surprise", 1),
    "another platform": _edit("platforms", ["cinema", "shop"]),
    "array missing": lambda folder: (folder / "als/sorted.npy").unlink(),
    "array cut": lambda folder: (folder / "als/sorted.npy").write_bytes(
        (folder / "als/sorted.npy").read_bytes()[:-8]
    ),
    "array longer": lambda folder: (folder / "items.npy").open("ab").write(b"x"),
    "array of another kind": _swap("als/gram.npy", np.zeros((4, 2), np.float64)),
    "array of another shape": _swap("als/gram.npy", np.zeros((2, 8), np.float32)),
    "pickled array": _pickled,
    "file outside": _outside,
    "no catalogue": lambda folder: _edit("files", {})(folder),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_artefact_is_refused_when_opened(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    folder = make(Generations(tmp_path))
    damage(folder)
    with pytest.raises(ArtefactError, match=folder.name):
        Artefact.open(folder)


def test_one_changed_byte_is_found_before_it_is_made_current(tmp_path: Path) -> None:
    models = Generations(tmp_path)
    first, second = make(models), make(models, seed=1)
    activate(models, first.name)
    raw = bytearray((second / "als/sorted.npy").read_bytes())
    raw[-1] ^= 1
    (second / "als/sorted.npy").write_bytes(raw)
    Artefact.open(second)
    with pytest.raises(ArtefactError, match="sha256"):
        activate(models, second.name)
    assert models.current() == first


def test_an_unknown_name_can_not_be_made_current(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        activate(Generations(tmp_path), "20260101T000000-als")


def test_a_running_service_takes_a_new_artefact_and_goes_back(tmp_path: Path) -> None:
    models = Generations(tmp_path)
    first, second = make(models), make(models, seed=1)
    activate(models, first.name)
    held = Current(models, Artefact.open, look_seconds=0)
    old = held.get()
    activate(models, second.name)
    assert held.get().name == second.name
    assert old.arrays["als"]["sorted"].any(), "who holds the old one keeps it"
    activate(models, first.name)
    assert held.get().name == held.name == first.name


def test_a_refused_artefact_leaves_the_old_one_in_service_and_says_why(tmp_path: Path) -> None:
    models = Generations(tmp_path)
    first, second, third = (make(models, seed=seed) for seed in range(3))
    activate(models, first.name)
    held = Current(models, Artefact.open, look_seconds=0)
    (second / "items.npy").unlink()
    models.use(second.name)
    assert held.get().name == first.name
    assert held.problem is not None and "items.npy" in held.problem
    (tmp_path / "CURRENT").write_text("nonsense")
    assert held.get().name == first.name
    models.use(third.name)
    assert held.get().name == third.name
    assert held.problem is None
