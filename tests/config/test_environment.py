"""Settings from the environment and from flags."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxysync.config.environment import Environment, read_environment
from proxysync.config.git_settings import to_fetch
from proxysync.config.setting import Secret
from proxysync.model.errors import ProxysyncError

HOME = {"HOME": "/home/me"}


def read(flags: Mapping[str, str | None] | None = None, /, **environ: str) -> Environment:
    return read_environment({**HOME, **environ}, overrides=flags or {})


def refused(**environ: str) -> str:
    with pytest.raises(ProxysyncError) as caught:
        read(**environ)
    assert caught.value.hint
    return str(caught.value)


def test_nothing_needs_to_be_set() -> None:
    assert read() == Environment(Path("proxies.yaml"), Path("/home/me/.local/state/proxysync"))


def test_everything_can_be_set() -> None:
    assert read(
        PROXYSYNC_FILE="/etc/p.yaml",
        PROXYSYNC_STATE_DIR="/state",
        PROXYSYNC_NPM_URL="http://npm:81/api/",
        PROXYSYNC_NPM_IDENTITY="me@example.com",
        PROXYSYNC_NPM_SECRET="s3cret",
        PROXYSYNC_NPM_CA_FILE="/ca.pem",
    ) == Environment(
        file=Path("/etc/p.yaml"),
        state_dir=Path("/state"),
        npm_url="http://npm:81",
        identity="me@example.com",
        secret=Secret("s3cret"),
        ca_file=Path("/ca.pem"),
    )


def test_a_flag_wins_and_what_is_empty_is_not_set() -> None:
    env = read(
        {"PROXYSYNC_FILE": "flag.yaml", "PROXYSYNC_NPM_IDENTITY": "", "PROXYSYNC_NPM_URL": None},
        PROXYSYNC_FILE="variable.yaml",
        PROXYSYNC_NPM_IDENTITY="me@example.com",
        PROXYSYNC_NPM_URL="",
    )
    assert (env.file, env.identity, env.npm_url) == (Path("flag.yaml"), "me@example.com", None)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/one:/var/lib/two", "XDG_STATE_HOME": "/x"}, "/var/lib/one"),
        ({"XDG_STATE_HOME": "/x"}, "/x/proxysync"),
        ({"XDG_STATE_HOME": "relative"}, "/home/me/.local/state/proxysync"),
        ({"STATE_DIRECTORY": ""}, "/home/me/.local/state/proxysync"),
    ],
)
def test_the_state_is_kept_where_the_system_wants_it(environ: dict[str, str], folder: str) -> None:
    assert read(**environ).state_dir == Path(folder)


def test_without_a_home_the_state_folder_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(ProxysyncError, match="PROXYSYNC_STATE_DIR"):
        read_environment({}, overrides={})


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://npm:81", "http://npm:81"),
        (" HTTPS://npm.example.com/api ", "https://npm.example.com"),
        ("http://npm:81//", "http://npm:81"),
        ("http://npm/admin//api/", "http://npm/admin"),
        ("http://npm:81/API", "http://npm:81"),
        ("http://npm:81/myapi", "http://npm:81/myapi"),
        ("http://[fd00::2]:81/api", "http://[fd00::2]:81"),
    ],
)
def test_the_url_may_end_in_api(written: str, url: str) -> None:
    assert read(PROXYSYNC_NPM_URL=written).npm_url == url


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("10.0.0.2:81", "Did you mean http://10.0.0.2:81?"),
        ("ftp://npm", "Did you mean http://npm?"),
        ("ftp://npm/a?b", "Write it like http://10.0.0.2:81"),
        ("::1:81", "Write it like http://10.0.0.2:81"),
        ("http://", "no valid host"),
        ("http://npm:0", "no valid host"),
        ("http://npm:", "no valid host"),
        ("http://npm:99999", "no valid host"),
        ("http://fd00::2", "no valid host"),
        ("http://[fd00", "no valid host"),
        ("http://npm/a b", "holds a blank"),
        ("http://npm?x=1", "query"),
        ("http://npm#x", "fragment"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(written: str, told: str) -> None:
    message = refused(PROXYSYNC_NPM_URL=written)
    assert told in message
    assert "PROXYSYNC_NPM_URL" in message


@pytest.mark.parametrize("written", ["http://me:hunter2@npm", "me:hunter2@npm:81"])
def test_a_password_in_the_url_is_refused_and_not_shown(written: str) -> None:
    message = refused(PROXYSYNC_NPM_URL=written)
    assert "PROXYSYNC_NPM_SECRET" in message
    assert "hunter2" not in message


def test_a_secret_shows_itself_only_when_asked() -> None:
    env = read(PROXYSYNC_NPM_SECRET="s3cret")
    assert "s3cret" not in f"{env} {env!r} {env.secret} {env.secret!r}"
    assert env.secret is not None
    assert env.secret.reveal() == "s3cret"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("s3cret\n", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        (" s3 cret \n\n", " s3 cret \n"),
        ("pässword", "pässword"),
    ],
)
def test_a_secret_file_loses_one_line_end(tmp_path: Path, content: str, secret: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    assert read(PROXYSYNC_NPM_SECRET_FILE=str(file)).secret == Secret(secret)


def test_a_secret_file_that_is_of_no_use_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert "No such file" in refused(PROXYSYNC_NPM_SECRET_FILE=str(file))
    assert "Is a directory" in refused(PROXYSYNC_NPM_SECRET_FILE=str(tmp_path))
    for content, told in ((b"", "empty"), (b"\n", "empty"), (b"\xff\xfe", "no text")):
        file.write_bytes(content)
        message = refused(PROXYSYNC_NPM_SECRET_FILE=str(file))
        assert told in message
        assert str(file) in message
    file.write_bytes(b"x" * 100_000)
    assert "no text" in refused(PROXYSYNC_NPM_SECRET_FILE=str(file))


def test_a_secret_twice_is_refused_unless_one_is_a_flag(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from file\n")
    both = {"PROXYSYNC_NPM_SECRET": "s3cret", "PROXYSYNC_NPM_SECRET_FILE": str(file)}
    message = refused(**both)
    assert "both PROXYSYNC_NPM_SECRET and PROXYSYNC_NPM_SECRET_FILE" in message
    assert "s3cret" not in message
    flag = read({"PROXYSYNC_NPM_SECRET_FILE": str(file)}, PROXYSYNC_NPM_SECRET="s3cret")
    assert flag.secret == Secret("from file")


@pytest.mark.parametrize("name", ["npm_secret", "npm-secret"])
def test_the_secret_may_be_a_systemd_credential(tmp_path: Path, name: str) -> None:
    assert read(CREDENTIALS_DIRECTORY=str(tmp_path)).secret is None
    (tmp_path / name).write_text("from systemd\n")
    assert read(CREDENTIALS_DIRECTORY=str(tmp_path)).secret == Secret("from systemd")
    env = read(CREDENTIALS_DIRECTORY=str(tmp_path), PROXYSYNC_NPM_SECRET="s3cret")
    assert env.secret == Secret("s3cret")


def test_an_empty_credential_is_refused(tmp_path: Path) -> None:
    (tmp_path / "npm_secret").write_text("")
    assert "the systemd credential" in refused(CREDENTIALS_DIRECTORY=str(tmp_path))


def test_what_is_missing_to_reach_npm_is_named() -> None:
    with pytest.raises(ProxysyncError) as caught:
        read(PROXYSYNC_NPM_IDENTITY="me@example.com").require_npm()
    assert "PROXYSYNC_NPM_URL" in caught.value.message
    assert "PROXYSYNC_NPM_SECRET_FILE" in caught.value.message
    assert "IDENTITY" not in str(caught.value)
    read(
        PROXYSYNC_NPM_URL="http://npm:81",
        PROXYSYNC_NPM_IDENTITY="me@example.com",
        PROXYSYNC_NPM_SECRET="s3cret",
    ).require_npm()


def test_reading_the_environment_imports_nothing_heavy() -> None:
    heavy = "{'pydantic', 'yaml', 'idna', 'requests', 'subprocess'} & set(sys.modules)"
    code = (
        "import sys, proxysync.config.environment, proxysync.config;"
        f"assert not {heavy}, {heavy};"
        "from proxysync.config.load import load_text;"
        "assert load_text('proxies: {}', 'p', {}).resources == ();"
        "assert not {'idna', 'cryptography'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


def test_a_repository_takes_the_place_of_the_file() -> None:
    env = read(
        PROXYSYNC_FILE="/etc/p.yaml",
        PROXYSYNC_STATE_DIR="/state",
        PROXYSYNC_GIT_URL="git@git.example.com:me/infra.git",
        PROXYSYNC_GIT_PATH="npm/proxies.yaml",
        PROXYSYNC_GIT_BRANCH="feature/a",
        PROXYSYNC_GIT_INTERVAL="30s",
        PROXYSYNC_GIT_KEY_FILE="/nowhere/key",
    )
    assert env.file == Path("/state/git/current/npm/proxies.yaml")
    assert env.remote is not None
    assert (env.remote.protocol, env.remote.ref, env.remote.interval) == (
        "ssh", "refs/heads/feature/a", 30.0,
    )  # fmt: skip
    with pytest.raises(ProxysyncError, match="KEY_FILE /nowhere/key cannot be read"):
        to_fetch(env.remote)
    flag = read({"PROXYSYNC_FILE": "x.yaml"}, PROXYSYNC_GIT_URL="https://git.example.com/x")
    assert (flag.file, flag.remote) == (Path("x.yaml"), None)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://me:hunter2hunter2@git.example.com/x.git", "PROXYSYNC_GIT_TOKEN_FILE"),
        ("https://hunter2hunter2@git.example.com/x.git", "PROXYSYNC_GIT_TOKEN_FILE"),
        ("ssh://git:hunter2hunter2@git.example.com/x.git", "PROXYSYNC_GIT_KEY_FILE"),
        ("git:hunter2hunter2@git.example.com:x.git", "password"),
        ("https://git.example.com/x.git?token=hunter2hunter2", "query"),
        ("ext::sh -c touch% /tmp/x", "no URL"),
        ("git://git.example.com/x.git", "is none of https://, ssh://"),
        ("--upload-pack=touch", "no URL"),
        ("-oProxyCommand=x:y", "no URL"),
        ("ssh://-oProxyCommand=x/y", "no valid host"),
        ("/srv/infra.git", "Did you mean file:///srv/infra.git?"),
        ("https://", "no valid host"),
    ],
)
def test_a_url_that_git_is_not_to_have_is_refused(url: str, why: str) -> None:
    message = refused(PROXYSYNC_GIT_URL=url)
    assert why in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "settings",
    [
        {"PATH": "../x"},
        {"PATH": "/x"},
        {"BRANCH": "--x"},
        {"BRANCH": "a:b"},
        {"BRANCH": "a*"},
        {"INTERVAL": "0s"},
        {"INTERVAL": "often"},
        {"KEY_FILE": "key"},
    ],
)
def test_settings_of_a_repository_that_cannot_be_meant_are_refused(
    settings: Mapping[str, str],
) -> None:
    given = {f"PROXYSYNC_GIT_{name}": value for name, value in settings.items()}
    (name,) = given
    assert name in refused(PROXYSYNC_GIT_URL="https://git.example.com/x.git", **given)
    assert name in refused(**given)


def test_a_token_is_sent_over_https_alone_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hunter2hunter2\n")
    given = {"PROXYSYNC_GIT_TOKEN_FILE": str(file)}
    assert "in the open" in refused(PROXYSYNC_GIT_URL="http://git.example.com/x.git", **given)
    remote = read(PROXYSYNC_GIT_URL="https://git.example.com/x.git", **given).remote
    assert remote is not None
    assert to_fetch(remote).token == "hunter2hunter2"
    assert "hunter2" not in f"{to_fetch(remote)!r}"
    file.write_text("one two")
    with pytest.raises(ProxysyncError, match="holds more than a token"):
        to_fetch(remote)
