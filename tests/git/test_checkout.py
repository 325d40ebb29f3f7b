"""What is taken from a repository, and what is not; with the real git program, in this process."""

import shutil
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import trustme

from proxysync.git import checkout, program
from proxysync.git.checkout import fetch_into, newest
from proxysync.git.errors import GitError
from proxysync.git.place import Place
from proxysync.git.program import Git
from proxysync.git.remote import Remote
from tests.repository import Repository
from tests.servers import answering, hanging
from tests.world import sooner_than

TOKEN = "tok-7c41e99d02ab"


class Scene:
    """Somebody's clone, the bare repository that is pushed to, and our own folder."""

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "bare.git"
        Repository(folder).git("init", "--quiet", "--bare", "--initial-branch=main", "bare.git")
        (folder / "clone").mkdir()
        self.clone = Repository.start(folder / "clone")
        (folder / "state").mkdir()
        path = PurePosixPath("proxies.yaml")
        self.remote = Remote(f"file://{self.bare}", "file", path)
        self.state = folder / "state"

    def write(self, name: str, text: str = "proxies: {}\n") -> Path:
        path = self.clone.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def git(self, stop: Callable[[], bool] = lambda: False) -> Git:
        place = Place(self.remote, self.state)
        place.prepare()
        return Git(self.remote, place.home, stop)

    def fetch(self) -> dict[str, str]:
        """The files that are taken now, with their content."""
        git = self.git()
        folder = git.home / "files" / fetch_into(git, git.home / "files").id
        files = [path for path in folder.rglob("*") if not path.is_dir()]
        assert list(git.home.glob(f"{checkout.BEGIN}*")) == []
        return {path.relative_to(folder).as_posix(): path.read_text() for path in files}

    def refused(self) -> GitError:
        with pytest.raises(GitError) as caught:
            self.fetch()
        assert list((self.state / "git" / "files").iterdir()) == []
        return caught.value


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_files_beside_it_come_along_and_nothing_that_leads_elsewhere(scene: Scene) -> None:
    scene.write("npm/proxies.yaml", "proxies: {}\n")
    scene.write("npm/tls/key.pem", "key")
    scene.write("npm/run.sh", "#!/bin/sh\n").chmod(0o755)
    scene.write("elsewhere.yaml")
    (scene.clone.folder / "npm" / "passwords").symlink_to("/etc/passwd")
    (scene.clone.folder / "npm" / "root").symlink_to("/")
    module = scene.clone.commit()
    scene.clone.git("update-index", "--add", "--cacheinfo", f"160000,{module},npm/module")
    scene.clone.git("commit", "--quiet", "--message=module")
    scene.clone.git("push", "--quiet", str(scene.bare), "HEAD:refs/heads/main")
    scene.remote = replace(scene.remote, path=PurePosixPath("npm/proxies.yaml"))
    taken = {"npm/proxies.yaml", "npm/tls/key.pem", "npm/run.sh"}
    assert scene.fetch().keys() == taken
    folder = scene.state / "git" / "files"
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.rglob("*")))
    scene.remote = replace(scene.remote, path=PurePosixPath("npm"))
    assert scene.fetch().keys() == taken
    scene.remote = replace(scene.remote, path=PurePosixPath("npm/passwords"))
    scene.state = scene.state.with_name("other")
    scene.state.mkdir()
    assert "symlink" in str(scene.refused())


def test_a_folder_behind_a_symlink_is_not_followed(scene: Scene) -> None:
    scene.write("real/proxies.yaml")
    (scene.clone.folder / "npm").symlink_to("real")
    scene.clone.push(scene.bare)
    scene.remote = replace(scene.remote, path=PurePosixPath("npm/proxies.yaml"))
    assert "has no npm/proxies.yaml" in scene.refused().message


def test_too_much_of_it_is_refused_and_a_file_that_is_too_large_left_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write("proxies.yaml")
    scene.write("film", "x" * 2000)
    scene.clone.push(scene.bare)
    monkeypatch.setattr(checkout, "LARGEST", 1000)
    assert scene.fetch() == {"proxies.yaml": "proxies: {}\n"}
    shutil.rmtree(scene.state / "git")
    monkeypatch.setattr(checkout, "MOST_FILES", 0)
    assert "PROXYSYNC_GIT_PATH" in str(scene.refused())
    scene.write("proxies.yaml", "#" * 2000)
    scene.clone.push(scene.bare)
    assert "has a proxies.yaml of more than" in scene.refused().message


def test_what_is_not_there_is_told_as_what_it_is(scene: Scene) -> None:
    def reason() -> str:
        with pytest.raises(GitError) as caught:
            newest(scene.git())
        assert caught.value.hint
        return caught.value.code

    assert reason() == "git.empty"
    scene.write("proxies.yml")
    commit = scene.clone.push(scene.bare)
    assert newest(scene.git()) == commit
    refused = scene.refused()
    assert (refused.code, refused.commit) == ("git.path", commit)
    scene.remote = replace(scene.remote, branch="gone")
    assert reason() == "git.no_branch"
    scene.remote = replace(scene.remote, url=f"file://{scene.bare}.gone")
    assert reason() == "git.no_repository"


def test_no_git_is_told(scene: Scene) -> None:
    with pytest.raises(GitError) as caught:
        newest(replace(scene.git(), environ={"PATH": "/nowhere"}))
    assert caught.value.code == "git.missing"


def test_nothing_of_the_environment_or_the_repository_is_run(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = scene.state / "ran"
    script = scene.write("hook", f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction", "post-merge"):
        shutil.copy(script, scene.bare / "hooks" / hook)
        scene.write(f".githooks/{hook}", script.read_text()).chmod(0o755)
    scene.write(".gitattributes", "* filter=evil\n")
    scene.write(".gitmodules", f'[submodule "x"]\n\tpath = x\n\turl = ext::{script}\n')
    scene.write(".gitconfig", f"[core]\n\thooksPath = {scene.clone.folder}/.githooks\n")
    scene.write("proxies.yaml")
    scene.clone.push(scene.bare)
    ran.unlink(missing_ok=True)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS", "GIT_SSH", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND"):
        monkeypatch.setenv(name, str(script))
    monkeypatch.setenv("HOME", str(scene.clone.folder))
    assert "proxies.yaml" in scene.fetch()
    assert not ran.exists()


def test_only_the_protocol_of_the_url_is_spoken(scene: Scene) -> None:
    scene.remote = replace(scene.remote, protocol="https")
    with pytest.raises(GitError, match="transport 'file' not allowed"):
        newest(scene.git())


def key_of(folder: Path, name: str) -> Path:
    """A new key; beside it, the list of signers that has it alone."""
    key = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
    subprocess.run(command, check=True)
    public = key.with_suffix(".pub").read_text()
    key.with_suffix(".signers").write_text(f"{name}@example.com {public}")
    return key


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
def test_only_commits_of_allowed_signers_are_taken(scene: Scene, tmp_path: Path) -> None:
    ours, other = key_of(tmp_path, "ours"), key_of(tmp_path, "other")
    scene.remote = replace(scene.remote, allowed_signers=ours.with_suffix(".signers"))
    scene.write("proxies.yaml")

    def signed_by(key: Path) -> tuple[str, ...]:
        return ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "-c", "commit.gpgSign=true")

    unsigned = scene.clone.push(scene.bare)
    assert (scene.refused().code, scene.refused().commit) == ("git.unsigned", unsigned)
    scene.clone.push(scene.bare, *signed_by(other))
    assert scene.refused().code == "git.unsigned"
    scene.clone.push(scene.bare, *signed_by(ours))
    assert "proxies.yaml" in scene.fetch()


def test_a_call_that_takes_longer_than_a_look_gets_all_that_it_is_to_be_given(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        scene.write(f"tls/{number}.pem", f"{number}\n")
    scene.write("proxies.yaml")
    scene.clone.push(scene.bare)
    monkeypatch.setattr(program, "LOOK", 0.001)
    assert len(scene.fetch()) == 51


def test_a_call_ends_in_time_or_with_us(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with hanging() as port:
        url = f"http://127.0.0.1:{port}/x.git"
        scene.remote = replace(scene.remote, url=url, protocol="http")
        with sooner_than(20), pytest.raises(GitError):
            newest(scene.git(stop=lambda: True))
        monkeypatch.setattr(program, "LONGEST", 0.5)
        with sooner_than(20), pytest.raises(GitError) as caught:
            newest(scene.git())
    assert caught.value.code == "git.unreachable"


def test_a_token_goes_to_the_server_and_nowhere_else(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca = scene.state / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    monkeypatch.setenv("GIT_SSL_CAINFO", str(ca))
    seen: list[list[str]] = []
    popen = subprocess.Popen

    def spy(command: list[str], **options: Any) -> Any:
        seen.append(command)
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", spy)
    said = f"nobody knows {TOKEN}"
    rest = (
        "Location: https://127.0.0.2/\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(said)}\r\n\r\n{said}"
    )
    for status, code in (("403 Forbidden", "git.denied"), ("302 Found", "git.redirected")):
        answer = f"HTTP/1.1 {status}\r\n{rest}".encode()
        with answering(answer, context=context) as server:
            url = f"https://127.0.0.1:{server.port}/x.git"
            scene.remote = replace(scene.remote, url=url, protocol="https", token=TOKEN)
            with pytest.raises(GitError) as caught:
                newest(scene.git())
        assert caught.value.code == code
        assert "nobody knows ${PROXYSYNC_GIT_TOKEN_FILE}" in caught.value.message
        login = b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        assert f"Authorization: Basic {login}".encode() in server.requests[0]
        told = f"{caught.value}{caught.value!r}{scene.remote!r}{scene.remote}{seen}"
        assert TOKEN not in told
        assert login not in told
