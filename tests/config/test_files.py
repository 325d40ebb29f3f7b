"""What is read: a file, or the files of a folder, and nothing that could hang or swamp us."""

import os
from pathlib import Path

import pytest

from proxysync.config.load import ConfigError, fingerprint, load, load_text
from proxysync.kinds.proxy import ProxyEntry

MEDIA = """\
proxies:
  media:
    domains: [media.example.com]
    upstream: http://10.0.0.5:8096
"""


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(content)
    return folder


def entry(name: str) -> str:
    return f"  {name}: {{domains: [{name}.example.com], upstream: http://x}}\n"


def test_a_folder_works_like_one_file(tmp_path: Path) -> None:
    write(tmp_path, b="proxies:\n" + entry("b"), a="proxies:\n" + entry("a"))
    write(tmp_path, c="defaults: {http2: true}\nsettings: {prune: false}\n")
    (tmp_path / "d.yml").write_text("proxies:\n" + entry("d"))
    for ignored in (".hidden.yaml", "#a.yaml", "~a.yaml", "a.yaml~", "notes.txt"):
        (tmp_path / ignored).write_text("][")
    (tmp_path / "sub.yaml").mkdir()
    config = load(tmp_path, {})
    assert [proxy.name for proxy in config.resources] == ["a", "b", "d"]
    assert [path.name for path in config.files] == ["a.yaml", "b.yaml", "c.yaml", "d.yml"]
    assert all(isinstance(r.entry, ProxyEntry) and r.entry.http2 for r in config.resources)
    assert not config.settings.prune
    assert config.resources[2].source.file == str(tmp_path / "d.yml")


def test_one_file_of_a_folder_that_may_be_cut_short_is_enough(tmp_path: Path) -> None:
    write(tmp_path, a="proxies:\n" + entry("a"), b=("proxies:\n" + entry("b")).rstrip("\n"))
    assert load(tmp_path, {}).maybe_truncated


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="settings: {}\nproxies:\n" + entry("one") + entry("two"),
        b="settings: {}\ndefaults: {http2: 1}\nproxies:\n" + entry("ONE"),
        c="proxies: [\n",
        d="proxies:\n  six: {domains: [two.example.com], upstream: x}\n",
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {})
    places = [(Path(p.file).name, p.line, p.path) for p in caught.value.problems]
    assert places == [
        ("b.yaml", 1, "settings"),
        ("b.yaml", 2, "defaults.http2"),
        ("b.yaml", 4, "proxies.ONE"),
        ("b.yaml", 4, "proxies.ONE.domains[0]"),
        ("c.yaml", 2, ""),
        ("d.yaml", 2, "proxies.six.domains[0]"),
        ("d.yaml", 2, "proxies.six.upstream"),
    ]
    assert f"the other is {tmp_path / 'a.yaml'}:1:1" in str(caught.value)


def test_a_folder_needs_proxies_somewhere(tmp_path: Path) -> None:
    write(tmp_path, a="version: 1\n", b="settings: {}\n")
    with pytest.raises(ConfigError, match="proxies: is missing"):
        load(tmp_path, {})


def test_an_empty_file_in_a_folder_is_no_file_to_pass_over(tmp_path: Path) -> None:
    write(tmp_path, a="proxies:\n" + entry("a"), b="")
    with pytest.raises(ConfigError, match=r"b\.yaml:1:1: is empty"):
        load(tmp_path, {})


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert fingerprint(path) is None
    return str(caught.value)


def test_what_cannot_be_read_is_an_error_and_has_no_fingerprint(tmp_path: Path) -> None:
    missing = refused(tmp_path / "proxies.yaml")
    assert missing.startswith(f"{tmp_path}/proxies.yaml: does not exist")
    assert "proxysync demo" in missing
    assert "-f" in missing
    assert "folder without" in refused(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    assert "is no regular file" in refused(tmp_path / "fifo")
    assert "is no regular file" in refused(Path("/dev/zero"))
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be read" in refused(tmp_path / "loop")
    assert "cannot be read" in refused(tmp_path / "nul\0")
    (tmp_path / "file").write_text(MEDIA)
    assert "cannot be read" in refused(tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_it_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MEDIA)
    (tmp_path / "a.yaml").chmod(0)
    assert "cannot be read: Permission denied" in refused(tmp_path / "a.yaml")


def test_files_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    write(tmp_path, a="#" * 3_000_000, b="#" * 3_000_000)
    assert "b.yaml: is too large" in refused(tmp_path)
    with pytest.raises(ConfigError, match="too large"):
        load_text("#" * 5_000_000, "proxies.yaml", {})


def test_the_fingerprint_follows_content_and_not_names(tmp_path: Path) -> None:
    write(tmp_path, a=MEDIA)
    first = fingerprint(tmp_path)
    assert first == load(tmp_path, {}).fingerprint
    os.utime(tmp_path / "a.yaml", (1, 1))
    assert fingerprint(tmp_path) == first
    (tmp_path / "a.yaml").rename(tmp_path / "b.yaml")
    assert fingerprint(tmp_path) == first
    assert fingerprint(tmp_path / "b.yaml") == first
    write(tmp_path, b=MEDIA + "# more\n")
    assert fingerprint(tmp_path) not in (None, first)


def test_messages_name_files_below_a_root_as_seen_from_there(tmp_path: Path) -> None:
    (tmp_path / "npm").mkdir()
    pair = "certificates:\n  own: {certificate: tls/c.pem, key: tls/k.pem}\n"
    write(tmp_path / "npm", a="proxies:\n" + entry("a"), b=pair)
    for path in (Path("npm"), Path("npm/b.yaml")):
        with pytest.raises(ConfigError) as caught:
            load(path, {}, root=tmp_path)
        assert {problem.file for problem in caught.value.problems} == {"npm/b.yaml"}
        assert "npm/tls/c.pem does not exist" in caught.value.message
        assert str(tmp_path) not in caught.value.message
        tls = tmp_path / "npm" / "tls"
        assert set(caught.value.attachments) == {tls / "c.pem", tls / "k.pem"}
    config = load(Path("npm/a.yaml"), {}, root=tmp_path)
    assert config.files == (tmp_path / "npm" / "a.yaml",)
    assert config.resources[0].source.file == "npm/a.yaml"
