"""The session that the README shows is what proxysync prints."""

from proxysync.sandbox import Sandbox
from tests.world import World
from tools.session import COLUMNS, README, record, rewritten


def test_the_readme_shows_what_proxysync_prints(small_world: World, sandbox: Sandbox) -> None:
    def run(*words: str) -> str:
        done = small_world.call(*words, env={"COLUMNS": COLUMNS})
        return done.out + done.err

    page = README.read_text()
    session = record(run, small_world.file, sandbox)
    assert rewritten(page, session) == page, "run make docs"
    assert session in page
