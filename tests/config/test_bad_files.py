"""One small file for each way in which a file can be wrong.

Each starts with the problems that loading must tell, one a line after `#: `, by how they
begin; `FILE` stands for its own path.
"""

from pathlib import Path

import pytest

from proxysync.config.load import ConfigError, load

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
ENVIRON = {
    "HOME": "/root",
    "PROXYSYNC_NPM_SECRET": "hunter2 of NPM",
    "PROXYSYNC_VAR_EMPTY": "",
    "PROXYSYNC_VAR_STRUCTURE": "http://x\nhttp2: true",
    "PROXYSYNC_VAR_NUMBER": "5",
    "PROXYSYNC_VAR_BOTH": "hunter2 hunter2",
    "PROXYSYNC_SECRET_BOTH": "hunter2 hunter2",
    "PROXYSYNC_SECRET_PASSWORD": "hunter2 hunter2",
    "PROXYSYNC_SECRET_SHORT": "hunter2",
}


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_problem_is_told_with_its_place_and_nothing_else(path: Path) -> None:
    lines = path.read_text().splitlines()
    expected = [
        f"{path}:{line.removeprefix('#: ').replace('FILE', str(path))}"
        for line in lines
        if line.startswith("#: ")
    ]
    assert expected
    with pytest.raises(ConfigError) as caught:
        load(path, ENVIRON)
    told = str(caught.value).splitlines()
    assert [line[: len(begin)] for line, begin in zip(told, expected, strict=True)] == expected


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_no_problem_shows_what_may_be_secret(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path, ENVIRON)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.to_json())


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_problem_has_a_place_in_the_file(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path, ENVIRON)
    length = len(path.read_text().splitlines()) + 1
    for problem in caught.value.to_json():
        assert set(problem) == {"file", "line", "column", "path", "message", "hint"}
        assert problem["file"] == str(path)
        assert 1 <= problem["line"] <= length
        assert problem["column"] >= 1
