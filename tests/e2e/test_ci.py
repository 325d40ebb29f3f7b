"""What examples/ci and docs/ci.md tell people to run: it is run here, word for word."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxysync.demo.services import DemoService
from tests.repository import Repository
from tests.world import World, domain

ROOT = Path(__file__).parents[2]
GITHUB = yaml.safe_load((ROOT / "examples" / "ci" / "github.yaml").read_text())
GITLAB = yaml.safe_load((ROOT / "examples" / "ci" / "gitlab.yaml").read_text())
MARKER = "<!-- proxysync plan -->"
STRANGER = f"{MARKER} is in a comment of somebody else, too"

FORGE = '''\
#!{python}
"""Stands in for `gh api` and `curl`: comments in a file, and what was asked for in another."""
import json, pathlib, re, subprocess, sys
words, folder = sys.argv[1:], pathlib.Path({folder!r})
store = folder / "comments.json"
comments = json.loads(store.read_text())
with (folder / "asked").open("a") as log:
    print(*words, file=log)
def after(*names):
    return next((words[i + 1] for i, word in enumerate(words) if word in names), None)
if words[-1].endswith("/user"):
    print(json.dumps({{"id": 5}}))
    sys.exit()
path = next(w for w in words if re.search("/(comments|notes)([/?]|$)", w))
given = after("-F", "--data-urlencode")
if given is None:
    jq = after("--jq")
    text = json.dumps(comments)
    if jq:
        text = subprocess.run(["jq", "-r", jq], input=text, text=True, stdout=-1, check=True).stdout
    sys.stdout.write(text)
else:
    body = pathlib.Path(given.partition("@")[2]).read_text()
    number = re.search(r"/(\\d+)$", path)
    if after("--method", "--request") in ("PATCH", "PUT"):
        next(c for c in comments if c["id"] == int(number[1]))["body"] = body
    else:
        who = {{"user": {{"login": "github-actions[bot]"}}, "author": {{"id": 5}}}}
        comments.append({{"id": len(comments) + 1, "body": body, **who}})
    store.write_text(json.dumps(comments))
'''


@dataclass
class Forge:
    """A server with a repository, comments on one request, and the programs of its runners."""

    world: World
    origin: Repository
    folder: Path

    @property
    def comments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / "comments.json").read_text())
        return found

    def run(self, script: str, where: Path, env: Mapping[str, Any]) -> str:
        whole = {name: str(value) for name, value in env.items()}
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=where,
            env={"PATH": f"{self.folder}:{os.environ['PATH']}", "HOME": str(where), **whole},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def clone(self, name: str, depth: int) -> Path:
        """What a runner checks out: the merge of the branch `edit` into main."""
        where = self.folder / name
        self.origin.git("checkout", "--quiet", "--detach", "main")
        self.origin.git("merge", "--quiet", "--no-ff", "--message=merge", "edit")
        self.origin.git("branch", "--force", "merge")
        self.origin.git("checkout", "--quiet", "edit")
        deep = [f"--depth={depth}"] if depth else []
        source = f"file://{self.origin.folder}"
        self.origin.git("clone", "--quiet", *deep, "--branch=merge", source, str(where))
        return where


@pytest.fixture
def forge(small_world: World, services: list[DemoService], tmp_path: Path) -> Forge:
    """A branch `edit` that adds an entry, and takes a secret into another."""
    folder = tmp_path / "forge"
    folder.mkdir()
    for name, text in {
        "gh": FORGE.format(python=sys.executable, folder=str(folder)),
        "curl": FORGE.format(python=sys.executable, folder=str(folder)),
        "pip": f'#!/bin/sh\necho pip "$@" >> {folder}/asked\n',
        "proxysync": f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m proxysync "$@"\n',
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    who = {"user": {"login": "somebody"}, "author": {"id": 4}}
    (folder / "comments.json").write_text(json.dumps([{"id": 1, "body": STRANGER, **who}]))
    small_world.file = folder / "origin" / "proxies.yaml"
    small_world.file.parent.mkdir()
    origin = Repository.start(small_world.file.parent)
    upstream = {"upstream": services[0].url}
    small_world.write({"one": upstream})
    origin.commit()
    origin.git("checkout", "--quiet", "-b", "edit")
    small_world.write({"one": {**upstream, "advanced_config": "# ${TOKEN}"}, "two": upstream})
    origin.commit()
    return Forge(small_world, origin, folder)


def steps(job: str) -> list[dict[str, Any]]:
    return [step for step in GITHUB["jobs"][job]["steps"] if "run" in step]


def run_on_github(forge: Forge, job: str, where: Path, **more: str) -> str:
    values = {"github.token": "x", "github.event.pull_request.number": "7"}
    files = {name: str(forge.folder / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_PATH")}
    said = ""
    for step in steps(job):
        assert "${{" not in step["run"], "what others wrote must not become a script"
        own = {
            name: re.sub(r"\$\{\{ (.*?) \}\}", lambda match: values[match[1]], value)
            for name, value in step.get("env", {}).items()
        }
        env = {**GITHUB["env"], "GITHUB_REPOSITORY": "us/sites", **files, **own, **more}
        said += forge.run(step["run"], where, env)
    return said


def test_on_github_a_pull_request_gets_one_comment_that_is_edited(forge: Forge) -> None:
    if subprocess.run(["sh", "-c", "command -v jq"], capture_output=True, check=False).returncode:
        pytest.skip("gh brings jq along, and here it is not installed")
    checkout = GITHUB["jobs"]["plan"]["steps"][0]["with"]
    where = forge.clone("first", checkout["fetch-depth"])
    said = run_on_github(forge, "plan", where)
    assert "proxies.yaml is valid: 2 entries" in said
    assert re.search(r"^::notice file=proxies.yaml,line=\d+,col=3::\+ two", said, re.MULTILINE)
    assert f"pip install {GITHUB['env']['INSTALL']}\n" in (forge.folder / "asked").read_text()
    _, comment = forge.comments
    assert comment["body"].startswith(f"{MARKER}\n## proxysync plan\n\n<p>Compared with HEAD^1;")
    assert "| 1 | 1 | 0 |" in comment["body"]
    assert "+ advanced_config: # ${TOKEN}\n" in comment["body"]
    assert (forge.folder / "GITHUB_STEP_SUMMARY").read_text() == comment["body"]

    forge.world.file.write_text(forge.world.file.read_text().replace("two:", "three:"))
    forge.origin.commit()
    run_on_github(forge, "plan", forge.clone("second", checkout["fetch-depth"]))
    first, edited = forge.comments
    assert first["body"] == STRANGER
    assert edited["id"] == comment["id"]
    assert "<code>three</code>" in edited["body"]
    assert "<code>two</code>" not in edited["body"]


def test_on_gitlab_a_merge_request_gets_one_comment_that_is_edited(forge: Forge) -> None:
    job = GITLAB["proxysync plan"]
    env = {
        **GITLAB["variables"],
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": forge.origin.git("rev-parse", "main"),
        "CI_API_V4_URL": "https://git.example.com/api/v4",
        "CI_PROJECT_ID": 3,
        "CI_MERGE_REQUEST_IID": 7,
    }
    where = forge.clone("first", job["variables"]["GIT_DEPTH"])
    script = "\n".join(job["script"])
    for _ in range(2):
        said = forge.run(script, where, {**env, "PROXYSYNC_COMMENT_TOKEN": "glpat-x"})
        assert f"+ two ({domain('two')}): new in the file" in said
        first, comment = forge.comments
        assert first["body"] == STRANGER
        assert comment["body"].startswith(f"{MARKER}\n## proxysync plan")
    assert "PRIVATE-TOKEN: glpat-x" in (forge.folder / "asked").read_text()


def runner_of(forge: Forge) -> dict[str, str]:
    """What is set on a machine that may write to NPM."""
    env = {**forge.world.env, **GITHUB["env"], "PROXYSYNC_SECRET_TOKEN": "a-secret-of-ours"}
    return {name: value for name, value in env.items() if name not in ("PATH", "HOME")}


@pytest.mark.parametrize("server", ["github", "gitlab"])
def test_what_is_merged_is_applied(forge: Forge, server: str) -> None:
    where = forge.clone("merged", 1)
    env = {**runner_of(forge), "RUNNER_TEMP": where}
    scripts = GITLAB["proxysync apply"]["script"]
    if server == "github":
        scripts = [step["run"] for step in steps("apply") if step["name"] == "Apply"]
    said = forge.run("\n".join(scripts), where, env)
    assert "Plan: 2 to create" in said
    assert "NPM is in sync with the file." in said
    assert forge.world.npm.host("two")["enabled"]
    assert "a-secret-of-ours" in forge.world.npm.host("one")["advanced_config"]


def test_the_page_works_as_it_is_written(forge: Forge) -> None:
    forge.origin.commit()
    page = (ROOT / "docs" / "ci.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    env = runner_of(forge)
    outputs = [forge.run(block, forge.origin.folder, env) for block in blocks]
    assert "+ two" in outputs[0]
    assert "NPM is in sync with the file." in outputs[1]
    assert len(outputs) == 2


def test_the_hook_runs_what_it_says(forge: Forge) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["pass_filenames"] is False
    assert re.search(hook["files"], "proxies.yaml")
    page = (ROOT / "docs" / "ci.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (used,) = yaml.safe_load(block)["repos"][0]["hooks"]
    assert used["id"] == hook["id"]
    said = forge.run(f"{hook['entry']} {' '.join(used['args'])}", forge.origin.folder, {})
    assert said == "proxies.yaml is valid: 2 entries\n"


def test_only_what_starts_a_run_gives_rights() -> None:
    # YAML 1.1 takes a bare `on` for a switch.
    assert set(GITHUB[True]) == {"pull_request", "push"}
    assert GITHUB["permissions"] == {"contents": "read"}
    assert "secrets." not in json.dumps(GITHUB["jobs"]["plan"])
    assert all(step["with"]["persist-credentials"] is False
               for job in GITHUB["jobs"].values() for step in job["steps"]
               if step.get("uses", "").startswith("actions/checkout"))  # fmt: skip
