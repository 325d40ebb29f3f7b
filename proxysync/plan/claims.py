"""Who may have which domain: NPM lets each be held by one host, and a working site keeps its own.

A domain moves only when its holder releases it in the same plan and its taker really takes
it. What one host cannot do may so hinder others; `resolve` follows that to the end.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from proxysync.kinds import KINDS
from proxysync.model import Key, Live, label_among
from proxysync.plan.draft import Conflict, Draft
from proxysync.plan.match import call, claims_of
from proxysync.plan.model import UNFINISHED, Hold, HoldKind

Rule = Callable[[Draft], Hold | None]
"""Says why an open draft is not to be made; None where it may."""


def refuse_clashes(drafts: Sequence[Draft], foreign: Sequence[Live]) -> tuple[Draft, ...]:
    """Makes conflicts of the drafts whose domains are a foreign host's or another entry's too."""
    hosts: dict[str, list[Live]] = defaultdict(list)
    for live in foreign:
        for domain in claims_of(live):
            hosts[domain].append(live)
    asking: dict[str, list[Key]] = defaultdict(list)
    for draft in drafts:
        for domain in draft.wants:
            asking[domain].append(draft.key)

    label = label_among(draft.key for draft in drafts)

    def clash(draft: Draft) -> Conflict | None:
        if isinstance(draft.stop, Conflict) or draft.in_sync:
            return None
        return _asked_twice(draft, asking) or _held_by_foreign(draft, hosts, label(draft.key))

    clashes = [(draft, clash(draft)) for draft in drafts]
    return tuple(replace(d, stop=conflict) if conflict else d for d, conflict in clashes)


def _asked_twice(draft: Draft, asking: Mapping[str, Sequence[Key]]) -> Conflict | None:
    for domain in sorted(draft.wants):
        competitors = sorted(key for key in asking[domain] if key != draft.key)
        if competitors:
            other = competitors[0]
            where = "" if other.kind == draft.kind.name else f"{KINDS[other.kind].noun} "
            return Conflict(
                f'{domain} is also asked for by {where}"{other}"; '
                f"only one entry can have a {draft.kind.claim_noun}"
            )
    return None


def _held_by_foreign(
    draft: Draft, hosts: Mapping[str, Sequence[Live]], label: str
) -> Conflict | None:
    holders: dict[str, set[str]] = defaultdict(set)
    found: dict[str, Live] = {}
    for domain in sorted(draft.takes):
        for live in hosts.get(domain, ()):
            holders[call(live)].add(domain)
            found[call(live)] = live
    if not holders:
        return None
    if len(holders) > 1:
        each = "; ".join(f"{_are_held(domains)} by {who}" for who, domains in holders.items())
        return Conflict(
            f"{each}. proxysync manages none of these hosts, and an entry can take over only "
            f"one: free the {draft.kind.claim_noun}s in NPM"
        )
    ((who, domains),) = holders.items()
    live = found[who]
    can_take = live.kind == draft.kind.name and draft.live is None and live.marker is None
    advice = "" if can_take else _advice(draft, live, label)
    reason = f"{_are_held(domains)} by {who}, which {_whose(live)}{advice}"
    return Conflict(reason, takes=live if can_take else None)


def _whose(live: Live) -> str:
    if live.marker is None:
        return "proxysync does not manage"
    return f'the proxysync instance "{live.marker.instance}" manages'


def _advice(draft: Draft, live: Live, label: str) -> str:
    if live.marker is None:
        return f"; free the {draft.kind.claim_noun} in NPM"
    takeover = f" or take it over with `proxysync adopt {label}`" if draft.live is None else ""
    return (
        "; if that is what this one was called (settings.instance), call it so again"
        f"{takeover}; otherwise remove it from that one's file first"
    )


def resolve(drafts: Sequence[Draft], rules: Sequence[Rule]) -> tuple[Draft, ...]:
    """Stops what cannot be made now, and lets hosts keep what others cannot take.

    Ends because a draft is never opened again and a kept domain never released again; the
    order of the drafts does not matter because each round only looks at the one before.
    """
    before: tuple[Draft, ...] = ()
    after = tuple(drafts)
    while after != before:
        before = after
        holders = {domain: draft for draft in before for domain in draft.holds}
        stopped = tuple(_stop(draft, rules, holders) for draft in before)
        after = _keep(stopped)
    return after


def _stop(draft: Draft, rules: Sequence[Rule], holders: Mapping[str, Draft]) -> Draft:
    if not draft.is_open:
        return draft
    reasons = (rule(draft) for rule in rules)
    stop = next((reason for reason in reasons if reason), None) or _not_released(draft, holders)
    return replace(draft, stop=stop) if stop else draft


def _not_released(draft: Draft, holders: Mapping[str, Draft]) -> Hold | Conflict | None:
    """The taker's side: a domain that its holder does not give away in this plan."""
    kept: dict[str, set[str]] = defaultdict(set)
    final = False
    for domain in sorted(draft.takes - draft.holds):
        holder = holders.get(domain)
        if holder is None or (holder.is_open and domain not in holder.takes):
            continue
        waits = isinstance(holder.stop, Hold) and holder.stop.kind in UNFINISHED
        final = final or not waits
        kept[f"{holder}, {_why_kept(holder)}"].add(domain)
    if not kept:
        return None
    reason = "; ".join(f"{_are_held(domains)} by {who}" for who, domains in kept.items())
    return Conflict(reason) if final else Hold(HoldKind.WAITING, reason)


def _why_kept(holder: Draft) -> str:
    if holder.stop is None:
        return "which keeps it; free it there first"
    if isinstance(holder.stop, Conflict):
        return "which is a conflict itself; resolve that first"
    return {
        HoldKind.BLOCKED: "which is blocked by its validation",
        HoldKind.FAILED: "whose last change failed",
        HoldKind.WAITING: "which waits itself",
        HoldKind.CONTESTED: "whose host somebody else changes again and again",
        HoldKind.DRIFT: "which was changed in NPM and stays so while settings.drift is report",
        HoldKind.PRUNE: "which was removed from the file but stays while settings.prune is off",
        HoldKind.ORPHAN: "an orphan; delete it with `proxysync apply --delete-orphans`",
    }[holder.stop.kind]


def _keep(drafts: tuple[Draft, ...]) -> tuple[Draft, ...]:
    """The holder's side: a domain that its new host cannot take stays where it is served."""
    waiting: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        taken = draft.takes if draft.is_open else frozenset()
        for domain in draft.wants - draft.holds - taken:
            waiting[domain].append(draft)
    return tuple(_keep_served(draft, waiting) for draft in drafts)


def _keep_served(draft: Draft, waiting: Mapping[str, Sequence[Draft]]) -> Draft:
    released = draft.holds - draft.takes
    kept = frozenset(domain for domain in released if domain in waiting)
    if not draft.is_open or not kept or draft.is_orphan:
        return draft
    names = sorted({f'"{taker.name}"' for domain in kept for taker in waiting[domain]})
    reason = f"keeps {_list(kept)} until it can go to {' and '.join(names)}"
    if draft.action == "delete":
        return replace(draft, stop=Hold(HoldKind.WAITING, reason))
    draft = replace(draft, keeps=draft.keeps | kept)
    keeping = replace(draft, target=draft.with_kept(draft.target))
    if not kept <= keeping.takes:  # a port cannot be kept beside another one
        return replace(keeping, keeps=draft.keeps - kept)
    if keeping.writes:
        return replace(keeping, reason=f"{draft.reason}; {reason}")
    return replace(keeping, stop=Hold(HoldKind.WAITING, reason))


def _are_held(domains: Iterable[str]) -> str:
    names = sorted(domains)
    return f"{_list(names)} {'is' if len(names) == 1 else 'are'} held"


def _list(domains: Iterable[str]) -> str:
    *rest, last = sorted(domains)
    return f"{', '.join(rest)} and {last}" if rest else last
