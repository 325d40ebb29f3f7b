"""Live events go on when the database is taken away or replaced under the daemon."""

import pytest

from tests.web.conftest import api_of
from tests.web.test_stream import data, listening
from tests.world import World, eventually


@pytest.mark.long
def test_listeners_go_on_when_the_state_is_lost(house: World) -> None:
    with api_of(house) as api:
        eventually(lambda: "proxy.blocked" in house.event_names())
        with listening(api) as stream:
            next(stream)
            for path in house.state.glob("state.db*"):
                path.unlink()
            house.file.write_text(house.file.read_text().replace("  two:", "  late:"))
            told = data(stream)
            seen = [next(told)]
            while seen[-1]["name"] != "late":
                seen.append(next(told))
            assert "state.restored" in [event["event"] for event in seen]
            ids = [event["id"] for event in seen]
            assert ids == sorted(set(ids))
        eventually(lambda: api.get("/api/proxies/late")["health"] == "healthy")
        assert api.get("/api/proxies/late")["changes"]
