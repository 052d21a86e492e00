"""
Which rules a text meets.

The keys of a rule are ANDed, the values of a key are ORed.  A rule hangs on the
rarest of its keys and is looked at only when the text has one of that key's values,
so that ten thousand rules cost what matches, not what is written.  Rules that ask
for the same are asked once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.filter.expect import Expectation
from monitor.item import SEVERITIES, Reading, Severity, Signal, Voice

Feature = tuple[str, str]  # the key of a rule, and one of its values

# From the rarest to the commonest: a rule is looked up by the first one it has.
KEYS = ("words", "topics", "places", "sources", "signals", "voices")
ABOUT = frozenset(KEYS) - {"voices"}  # by these a rule that is not met may come near
NEAR = 16  # rules that are looked at by one value when none is met
NO_RULE = "no rule is about it"

# What a source says of its own region without naming it: "Работает ПВО. Укройтесь!"
OF_HOME: frozenset[Signal] = frozenset(
    {"danger", "alarm", "impact", "casualties", "clear"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    What matters to somebody, and how much.

    Attributes:
        places: Ids of places; everything within them counts.  A text that warns,
            reports or calls off and names no place is met by the home of its source.
        topics: Names of topics.
        words: In the syntax of `words.parse`.
        without: Words of which none may be there.
        signals: What the text may say.
        voices: Who may say it.
        sources: Names of sources.
    """

    name: str
    places: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    voices: tuple[Voice, ...] = ()
    sources: tuple[str, ...] = ()
    severity: Severity = "warning"
    expect: tuple[Expectation, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class _Condition:
    """What one or several rules ask for; `anchor` is the key it hangs on."""

    keys: tuple[tuple[str, frozenset[Feature]], ...]
    without: frozenset[Feature]
    anchor: frozenset[Feature]

    def met(self, features: frozenset[Feature]) -> bool:
        return self.without.isdisjoint(features) and not any(
            asked.isdisjoint(features) for _, asked in self.keys
        )

    def failed(self, features: frozenset[Feature]) -> str:
        """Return the first key that is not met, or nothing."""
        for key, asked in self.keys:
            if asked.isdisjoint(features):
                return key
        return "" if self.without.isdisjoint(features) else "without"

    def lacking(self, features: frozenset[Feature]) -> list[str]:
        """Return all keys that are not met."""
        return [key for key, asked in self.keys if asked.isdisjoint(features)]


_Hanging = dict[Feature, list[tuple[_Condition, list[int]]]]


class Rules:
    """All rules, found by what a text has."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.all = tuple(rules)
        self._conditions = [_condition(rule) for rule in rules]
        meant: dict[_Condition, list[int]] = {}
        for number, condition in enumerate(self._conditions):
            meant.setdefault(condition, []).append(number)
        self._hanging: _Hanging = {}
        self._near: _Hanging = {}
        for condition, numbers in meant.items():
            for feature in condition.anchor:
                self._hanging.setdefault(feature, []).append((condition, numbers))
            for key, asked in condition.keys:
                for feature in asked if key in ABOUT else ():
                    near = self._near.setdefault(feature, [])
                    if len(near) < NEAR:
                        near.append((condition, numbers))

    def met(self, features: frozenset[Feature]) -> list[Rule]:
        """Return the rules that *features* meet, in the order of configuration."""
        numbers: set[int] = set()
        for feature in features:
            for condition, several in self._hanging.get(feature, ()):
                if condition.met(features):
                    numbers.update(several)
        return [self.all[number] for number in sorted(numbers)]

    def nearest(self, features: frozenset[Feature]) -> str:
        """
        Return which rule *features*, which meet none, come nearest to, and why they
        do not meet it.

        It is one that has a value in common with them and lacks the fewest keys; of
        several, the gravest, and then the first.
        """
        near = {
            numbers[0]: condition
            for feature in features
            for condition, numbers in self._near.get(feature, ())
        }
        if not near:
            return NO_RULE
        lacking = {number: one.lacking(features) for number, one in near.items()}
        first = min(near, key=lambda number: self._distance(number, lacking[number]))
        unmet = [f"no {key.removesuffix('s')}" for key in lacking[first]]
        said = sorted(word for _, word in near[first].without & features)
        excluded = [f"excluded by `without` {word}" for word in said[:1]]
        return f"{self.all[first].name}: {', '.join(unmet or excluded)}"

    def _distance(self, number: int, lacking: Sequence[str]) -> tuple[int, int, int]:
        severity = SEVERITIES.index(self.all[number].severity)
        return len(lacking), -severity, number

    def failed(self, features: frozenset[Feature]) -> Mapping[str, str]:
        """Return for each rule the first key that *features* do not meet."""
        return {
            rule.name: condition.failed(features)
            for rule, condition in zip(self.all, self._conditions, strict=True)
        }


def concerns_home(reading: Reading, home: str) -> bool:
    """
    Whether the `places` of a rule are met by the *home* of the source.

    A warning without a place is meant for those who read the channel, and losing
    it is worse than telling it.  The reading itself stays without a place.
    """
    return bool(home) and not reading.places and reading.signal in OF_HOME


def highest(severities: Iterable[Severity]) -> Severity:
    """Return the highest of some severities."""
    return max(severities, key=SEVERITIES.index)


def _condition(rule: Rule) -> _Condition:
    keys = tuple(
        (key, frozenset((key, value) for value in getattr(rule, key)))
        for key in KEYS
        if getattr(rule, key)
    )
    without = frozenset(("without", word) for word in rule.without)
    return _Condition(keys, without, keys[0][1])
