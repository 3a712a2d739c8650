import os

import pytest

from recall.errors import NotFound
from recall.generations import Generations


def made(generations, suffix, text):
    with generations.new(suffix) as folder:
        (folder / "value").write_text(text)
    return folder.with_suffix("").name


def test_nothing_is_current_before_the_first_use(tmp_path):
    generations = Generations(tmp_path / "builds")
    made(generations, "a", "1")
    with pytest.raises(NotFound, match="nothing here yet"):
        generations.current()


def test_use_switches_what_a_reader_sees_and_back(tmp_path):
    generations = Generations(tmp_path)
    old, new = made(generations, "a", "1"), made(generations, "b", "2")
    for name, value in ((old, "1"), (new, "2"), (old, "1")):
        generations.use(name)
        assert (generations.current() / "value").read_text() == value


def test_a_failed_writer_leaves_the_current_one_and_no_rubbish(tmp_path):
    generations = Generations(tmp_path)
    generations.use(made(generations, "a", "1"))
    with pytest.raises(ZeroDivisionError), generations.new("b") as folder:
        (folder / "value").write_text("half")
        _ = 1 / 0
    assert (generations.current() / "value").read_text() == "1"
    assert len(generations.names()) == 1 and not list(tmp_path.glob("*.part"))


def test_two_made_in_the_same_second_have_different_names(tmp_path):
    generations = Generations(tmp_path)
    assert len({made(generations, "a", "1") for _ in range(4)}) == 4
    assert len(generations.names()) == 4


@pytest.mark.parametrize("name", ["../evil", "nothing", "", "20260101T000000-gone"])
def test_a_name_that_is_not_there_is_refused(tmp_path, name):
    generations = Generations(tmp_path)
    with pytest.raises(NotFound):
        generations.use(name)


def test_pruning_keeps_the_newest_and_the_current_one(tmp_path):
    generations = Generations(tmp_path)
    names = [made(generations, "a", str(i)) for i in range(4)]
    generations.use(names[0])
    assert generations.prune(keep=1) == names[1:3]
    assert generations.names() == [names[0], names[3]]


def test_sweeping_removes_what_killed_writers_left_and_no_pointer_in_the_making(tmp_path):
    generations = Generations(tmp_path)
    generations.use(made(generations, "a", "1"))
    (tmp_path / "20260101T000000-b.part").mkdir()
    old, young = tmp_path / "CURRENT.1", tmp_path / "CURRENT.2"
    for pointer in (old, young):
        pointer.write_text("x")
    os.utime(old, (1, 1))
    generations.sweep()
    assert not list(tmp_path.glob("*.part")) and not old.exists() and young.exists()
    assert (generations.current() / "value").read_text() == "1"
