"""Why a text is read as it is, line by line: form, place, points, claims, rules."""

from collections.abc import Iterator

from monitor.filter.mention import ENOUGH, Candidate, Mention
from monitor.filter.reader import Found
from monitor.filter.rules import Rules
from monitor.filter.signal import claims_of


def explanation(found: Found, rules: Rules) -> Iterator[str]:
    """Yield lines for people: what was found, what it was worth, what came of it."""
    reading = found.reading
    for mention in found.mentions:
        yield from _of_mention(found, mention)
    for topic in reading.topics:
        said = ", ".join(f"{start}..{end}" for start, end in topic.spans)
        yield f"topic {topic.name}: {said or 'in the title'}"
    for word in reading.words:
        said = ", ".join(f"{start}..{end}" for start, end in word.spans)
        yield f"word {word.word}: {said or 'in the title'}"
    yield from _of_claims(found)
    yield f"signal: {reading.signal}"
    yield f"language: {reading.language or 'unknown'}"
    if found.home:
        yield f"no place is named: rules take the home of its source, {found.home}"
    for name, key in rules.failed(found.features).items():
        yield f"rule {name}: {f'no, by its {key}' if key else 'matches'}"


def _of_mention(found: Found, mention: Mention) -> Iterator[str]:
    if found.words is None:
        return
    choice = mention.choice
    said = found.words.said(mention.first, mention.end)
    yield f"“{said}”: {choice[0] if choice else 'no place'}"
    for candidate in sorted(mention.candidates, key=_by_score):
        points = ", ".join(f"{why} {worth:+g}" for why, worth in candidate.points)
        mark = "≥" if candidate.score >= ENOUGH else "<"
        total = f"{candidate.score:.1f} {mark} {ENOUGH}"
        yield f"  {candidate.place.id}: {total} = {points}"


def _by_score(candidate: Candidate) -> float:
    return -candidate.score


def _of_claims(found: Found) -> Iterator[str]:
    if found.words is None:
        return
    claims, _ = claims_of(found.cues, found.words)
    for claim in claims:
        said = found.words.said(claim.first, claim.last)
        yield f"claim {claim.signal}: “{said}”{', ' * bool(claim.fallen)}{claim.fallen}"
