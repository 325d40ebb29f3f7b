"""What nginx says of a host that it refuses, in the words of its entry."""

import re
from collections.abc import Iterable

from proxysync.kinds import KINDS
from proxysync.model import Live

_STAMP = re.compile(r"^(?:nginx: )?(?:\S+ \S+ )?\[emerg\] (?:\d+#\d+: )?")
"""When it said so, and which process: nobody can do anything with that."""

_QUOTED = re.compile('"([^"]+)"')


def refusal_of(live: Live) -> str:
    """Why nginx refuses the host, and where in its entry, as far as that can be told.

    A place in a file that is another host's, or a person's own, is told as nginx does.
    """
    text = _STAMP.sub("", live.refusal)
    its_own = re.compile(rf" in /data/nginx/[a-z_]+/{live.npm_id}\.conf:\d+$")
    if its_own.search(text) is None:
        return text
    text = its_own.sub("", text)
    texts = KINDS[live.kind].free_texts(live.fields)
    places = list(_places(texts, _QUOTED.findall(text)))
    return f"{text} ({places[0]})" if len(places) == 1 else text


def _places(texts: Iterable[tuple[str, str]], words: Iterable[str]) -> Iterable[str]:
    """The lines in which one of the words stands that nginx has quoted."""
    wanted = list(words)
    for path, text in texts:
        for number, line in enumerate(text.splitlines(), 1):
            if any(word in line for word in wanted):
                yield f"{path} line {number}"
