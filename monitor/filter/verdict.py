"""
What the claims of one text come to: the one signal of the whole.

One rule stands above all: an all-clear counts only where nothing dangerous is left
standing.  A danger is over if an all-clear that comes after it, in the text or by the
clock of a list, is for all its places and for its threat; one that names neither ends
the only danger there is.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from monitor.filter.claims import ACTIVE, Claim
from monitor.filter.clauses import PAST, Clause, Clauses, starts_like
from monitor.filter.fold import folded_words
from monitor.filter.nested import narrowest, related, within
from monitor.item import Signal

Named = Mapping[int, frozenset[str]]
OBJECTS = frozenset(  # of an all-clear: "отбой ракетной опасности"
    folded_words("опасности тревоги угрозы небезпеки загрози тривоги")
)
ITEM = 4  # words of a line that is a place in a list
PLAIN = frozenset(" \t\u00a0\u200b-–—•*·>")  # before an item of a list
NOWHERE = "?"  # the place of an all-clear that only repeats another
DASH = b"-"  # which is a word of its own
RED, GREEN = "🔴", "🟢✅"
AGAIN = frozenset(folded_words("снова вновь опять повторно знову again anew"))
DECLARED = frozenset(
    folded_words(
        "объявлена объявлен объявлено введена введен введено объявили ввели действует"
        " оголошена оголошено введено declared issued announced"
    )
)
AWAIT = tuple(folded_words("ждем ждать ждите сидим чекаємо актуальн изменени силе"))
KINDS = tuple(folded_words("беспилотн ракетн авиац воздушн безпілотн повітрян"))
STOPS = frozenset(".!?:;")
ENDING = frozenset(".! ")  # of a sentence that another follows in its line


class Verdict:
    """What the standing claims of one text come to."""

    def __init__(
        self,
        claims: Sequence[Claim],
        clauses: Clauses,
        places: Named,
        threats: Named,
    ) -> None:
        self.claims = claims
        self.clauses = clauses
        self.places = places
        self.threats = threats
        self.told = {self._sentence(c) for c in self._of("recap") if not c.whole}
        self.recounted = {self._sentence(c) for c in self._of("recap")}
        self.headed = min(
            (self._sentence(c) for c in self._of("recap") if c.whole), default=None
        )
        self._where_of: dict[Claim, frozenset[str]] = {}

    def decide(self) -> Signal:
        """Return the one signal of the text; the order of the steps is the rule."""
        if self._of("drill"):
            return "drill"
        now = [c for c in self._of("danger", "alarm") if not self._recounted(c)]
        clear = [c for c in self._of("clear") if not self._recounted(c)]
        left = self._left(now, clear)
        events = self._events()
        if clear and not left and self._goes_on(clear):
            return "danger"
        if clear and not left:
            dead = [c.first for c in events if c.signal == "casualties"]
            if min(dead, default=1e9) < clear[0].first:
                return "casualties"
            return "impact" if self._begins_anew(events, clear[-1]) else "clear"
        return self._standing(left, events)

    def _left(self, now: Sequence[Claim], clear: Sequence[Claim]) -> list[Claim]:
        """Return the dangers that no all-clear ends."""
        bare = self._bare(clear)
        placed = [c for c in clear if self._where(c)]
        left = [c for c in now if not any(self._ends(c, o) for o in placed)]
        left = [c for c in left if not any(self._heads(o, c) for o in bare)]
        for over in (c for c in clear if c not in placed):
            ended = [c for c in left if self._ends(c, over)]
            own = [c for c in ended if self._beside_it(c, over)]
            kinds = {(self._where(c), self._what(c)): c for c in ended}.values()
            differ = any(self._differ(a, b) for a in kinds for b in kinds)
            ended = own if differ else ended
            left = [c for c in left if c not in ended]
        return left

    def _beside_it(self, danger: Claim, clear: Claim) -> bool:
        """Whether both stand in one clause: "отбой тревоги"."""
        return self.clauses.at(danger.first) == self.clauses.at(clear.first)

    def _bare(self, clear: Sequence[Claim]) -> list[Claim]:
        """Return the all-clears that name nothing, and only those not said again."""
        bare, again = [], set()
        for claim in clear:
            sentence = self._sentence(claim)
            if self._where(claim) or self._what(claim):
                again.add(sentence)
            elif sentence - 1 in again or sentence in again:
                again.add(sentence)  # "Белгород: отбой! Отбой!"
                self._where_of[claim] = frozenset([NOWHERE])
            else:
                bare.append(claim)
        return bare

    def _begins_anew(self, events: Sequence[Claim], clear: Claim) -> bool:
        """Whether something happened after the all-clear, which must not hide it."""
        over = self.clauses.at(clear.last)
        return any(
            event.signal == "impact"
            and event.first > over.last
            and not self.clauses.is_past(clause)
            and not self.clauses.is_aftermath(clause)
            for event in events
            for clause in [self.clauses.at(event.first)]
        )

    def _standing(self, left: Sequence[Claim], events: Sequence[Claim]) -> Signal:
        signals = {claim.signal for claim in [*left, *events] if not claim.advice}
        if not left and self._corrects():
            return "correction"
        for signal in ("casualties", "impact", "alarm", "danger"):
            if signal in signals:
                return signal
        if self._of("danger", "alarm", "impact", "casualties") and self._of("recap"):
            return "recap"
        if self._of("forecast"):
            return "forecast"
        return left[0].signal if left else "none"

    def _of(self, *signals: Signal) -> list[Claim]:
        return [claim for claim in self.claims if claim.signal in signals]

    def _sentence(self, claim: Claim) -> int:
        return self.clauses.at(claim.first).sentence

    def _recounted(self, claim: Claim) -> bool:
        """Whether its own sentence tells of a time that is over."""
        return self._sentence(claim) in self.recounted

    def _events(self) -> list[Claim]:
        """Return what happened, and is neither of yesterday nor only expected."""
        expected = {self.clauses.at(c.first) for c in self._of("forecast")}
        return [
            claim
            for claim in self._of("impact", "casualties")
            if self._sentence(claim) not in self.told
            and (self.headed is None or self._sentence(claim) < self.headed)
            and self.clauses.at(claim.first) not in expected
        ]

    def _corrects(self) -> bool:
        return any(self._sentence(c) == 0 for c in self._of("correction"))

    def cleared(self) -> frozenset[str]:
        """Return the places of the all-clears; empty, if one is for all there are."""
        found: set[str] = set()
        for clear in self._of("clear"):
            clause = self.clauses.at(clear.first)
            own = self._enumerated(clear, clause) or self._beside(self.places, clause)
            heads = ":" in self.clauses.gap(clause.sentence)
            if not own and not heads:
                return frozenset()
            below = clause.sentence + 1
            while below in self._placed and self._is_list_item(below):
                own |= self._placed[below]
                below += 1
            if not own:
                return frozenset()
            found |= own
        return frozenset(found)

    def _enumerated(self, clear: Claim, clause: Clause) -> frozenset[str]:
        """
        Return the places that go on with a list of those of an all-clear.

        "Отбой в Курске, Льгове" and "Курск, Льгов: отбой" do; in "РО - Белгород,
        отбой - Курск" the place before is not of the list that follows.
        """
        first, last = self.clauses.sentence(clause.sentence)
        begin, end = clause.first, clause.last
        if self._among(self.places, begin, clear.first - 1):
            while begin > first and self._goes_along(self.clauses.at(begin - 1)):
                begin = self.clauses.at(begin - 1).first
        if self._among(self.places, clear.last + 1, end):
            while end < last and self._goes_along(self.clauses.at(end + 1)):
                end = self.clauses.at(end + 1).last
        return self._among(self.places, begin, end)

    def _goes_along(self, clause: Clause) -> bool:
        """Whether a clause claims nothing, and tells nothing else: "Курск - РО"."""
        return clause not in self._claiming and self.clauses.is_bare(*clause[:2])

    def _is_list_item(self, sentence: int) -> bool:
        """Whether a line says little more than a place, and bids it do nothing."""
        first, last = self.clauses.sentence(sentence)
        alone = not ENDING.issuperset(self.clauses.gap(sentence - 1))
        short = last - first < ITEM and sentence not in self._claiming_sentences
        return alone and short and self.clauses.is_bare(first, last)

    def _goes_on(self, clear: Sequence[Claim]) -> bool:
        """Whether something lasts, although nobody warns of it in so many words."""
        if any(self._partly(c) for c in clear):
            return True
        if any(self._left_out(self._sentence(c) + 1) for c in clear):
            return True
        return self._renewed(clear[-1]) or self._is_red()

    def _left_out(self, sentence: int) -> bool:
        """Whether a sentence excepts something: "Остальные ждём", "БПЛА — в силе"."""
        if sentence in self._claiming_sentences:
            return False
        if self.clauses.opens_with_exception(sentence):
            return True
        words = self.clauses.whole(sentence)
        if not starts_like(words, AWAIT):
            return False
        first, last = self.clauses.sentence(sentence)
        return bool(
            self._among(self.places, first, last)
            or self._among(self.threats, first, last)
        )

    def _renewed(self, clear: Claim) -> bool:
        """Whether "вновь объявлена", or "объявлена беспилотная", follows."""
        over = self.clauses.at(clear.last)
        for clause in self.clauses.all:
            words = self.clauses.inside(clause)
            if clause.first <= over.first or DECLARED.isdisjoint(words):
                continue
            supposed = self.clauses.condition(clause.sentence) < clause.last
            anew = not AGAIN.isdisjoint(words) or starts_like(words, KINDS)
            if anew and not supposed and not self.clauses.is_past(clause):
                return True
        return False

    def _is_red(self) -> bool:
        """Whether a place is marked red in a list that marks others green."""
        count = len(self._placed) and max(self._placed) + 1
        lead = [self.clauses.gap(number - 1) for number in range(count + 1)]
        if not any(mark in gap for gap in lead for mark in GREEN):
            return False
        return any(
            RED in lead[number] and number not in self._claiming_sentences
            for number in self._placed
        )

    def _partly(self, clear: Claim) -> bool:
        """Whether an all-clear leaves something out: "кроме", "в остальных"."""
        return self.clauses.goes_on(self.clauses.at(clear.last))

    def _ends(self, danger: Claim, clear: Claim) -> bool:
        """Whether the all-clear *clear* is the end of *danger*."""
        clause, over = self.clauses.at(danger.first), self.clauses.at(clear.first)
        if clause == over:
            return self._ends_within(danger, clear, clause)
        if self.clauses.lasts(clause):
            return False
        past = self.clauses.is_past(clause)
        if self.clauses.is_later(clear.first, danger.first):
            if self.clauses.is_past(over) and not past:
                return False  # "Тревога! Отбой был в 14:00"
            return self._covers(clear, danger, past=past)
        if past:
            return self._covers(clear, danger, past=True)
        return self._heads(clear, danger)

    def _ends_within(self, danger: Claim, clear: Claim, clause: Clause) -> bool:
        """Whether both are one statement: "отбой тревоги", "опасность снята"."""
        if self.clauses.lasts(clause) and danger.last > clear.last:
            return False
        words = self.clauses.words
        if not danger.whole and not clear.whole and danger.second > clear.second:
            # "опасность снята в Курске и объявлена в Белгороде"
            return not PAST.isdisjoint(words[clear.last + 1 : danger.second])
        if max(danger.first, clear.first) <= min(danger.last, clear.last):
            return True
        if danger.first > clear.last:
            if not OBJECTS.isdisjoint(words[danger.first : danger.last + 1]):
                return True
            if all(w.isdigit() for w in words[danger.first - 2 : danger.first]):
                return False  # "12:10 отбой 12:15 тревога"
        return not self._apart(danger, clear, clause)

    def _apart(self, one: Claim, other: Claim, clause: Clause) -> bool:
        """Whether different places stand before, between and after two claims."""
        one, other = sorted((one, other), key=lambda claim: claim.first)
        before = self._among(self.places, clause.first, one.first - 1)
        between = self._among(self.places, one.last + 1, other.first - 1)
        after = self._among(self.places, other.last + 1, clause.last)
        return any(
            here and there and not any(related(a, b) for a in here for b in there)
            for here, there in ((before, between), (between, after), (before, after))
        )

    def _covers(self, clear: Claim, danger: Claim, *, past: bool) -> bool:
        """Whether an all-clear is for all places and the threat of a danger."""
        what, threat = self._what(clear), self._what(danger)
        if what and threat and what.isdisjoint(threat):
            return False
        where, places = self._where(clear), self._where(danger)
        if where and places:
            return all(any(within(one, all_) for all_ in where) for one in places)
        return not where or past or bool(what and threat)

    def _heads(self, clear: Claim, danger: Claim) -> bool:
        """Whether an all-clear is the bare heading of what it calls off, below it."""
        over = self.clauses.at(clear.first)
        bare = (over.first, over.last) == (clear.first, clear.last)
        lead = self.clauses.gap(over.sentence - 1)
        bare = bare and (over.sentence == 0 or "\n" in lead)
        if not bare or self._sentence(danger) <= over.sentence:
            return False
        if self.clauses.lasts(self.clauses.at(danger.first)):
            return False
        below = range(over.sentence + 1, self._sentence(danger) + 1)
        return all(self._is_item(sentence) for sentence in below)

    def _is_item(self, sentence: int) -> bool:
        """Whether a line consists of a danger, without any emphasis."""
        lead, begins, _ = self.clauses.gap(sentence - 1).rpartition("\n")
        mark = self.clauses.gap(sentence - 1).rpartition("\n")[2]
        claims = [c for c in self._active if self._sentence(c) == sentence]
        if not claims or not begins or not STOPS.isdisjoint(lead.replace(":", "")):
            return False
        said = (min(c.first for c in claims), max(c.last for c in claims))
        rest = self.clauses.gap(sentence)
        plain = STOPS.isdisjoint(rest.partition("\n")[0]) and PLAIN.issuperset(mark)
        first, last = self.clauses.sentence(sentence)
        dash = self.clauses.words[first] == DASH
        return plain and said == (first + dash, last)

    @cached_property
    def _active(self) -> list[Claim]:
        return [claim for claim in self.claims if claim.signal in ACTIVE]

    @cached_property
    def _claiming(self) -> set[Clause]:
        """Clauses in which something is warned of or called off."""
        both = [*self._active, *self._of("clear")]
        return {self.clauses.at(claim.first) for claim in both}

    @cached_property
    def _claiming_sentences(self) -> set[int]:
        return {clause.sentence for clause in self._claiming}

    def _differ(self, one: Claim, other: Claim) -> bool:
        """Whether two dangers are of different places, or different threats."""
        what, threat = self._what(one), self._what(other)
        if what and threat and what.isdisjoint(threat):
            return True
        here, there = self._where(one), self._where(other)
        alike = any(related(a, b) for a in here for b in there)
        return bool(here and there) and not alike

    def _what(self, claim: Claim) -> frozenset[str]:
        """Return the threats that the clause of *claim* speaks of, or its sentence."""
        clause = self.clauses.at(claim.first)
        own = self._among(self.threats, clause.first, clause.last)
        return own or self._beside(self.threats, clause)

    def _where(self, claim: Claim) -> frozenset[str]:
        """
        Return the places of *claim*: of its clause, of those beside it, of a heading.

        A danger is in all of them; an all-clear is for no more than it must be.
        """
        if claim not in self._where_of:
            clause = self.clauses.at(claim.first)
            own = self._among(self.places, clause.first, clause.last)
            if claim.signal != "clear" or not own:
                own |= self._beside(self.places, clause)
            own = own or self._before(clause) or self._listed(clause.sentence)
            self._where_of[claim] = narrowest(own)
        return self._where_of[claim]

    def _before(self, clause: Clause) -> frozenset[str]:
        """Return the places of the clause before it: "Белгород: отбой, отбой БПЛА"."""
        first, _ = self.clauses.sentence(clause.sentence)
        while clause.first > first:
            clause = self.clauses.at(clause.first - 1)
            found = self._among(self.places, clause.first, clause.last)
            if found:
                return found
        return frozenset()

    def _beside(self, named: Named, clause: Clause) -> frozenset[str]:
        """Return what the clauses beside *clause* name that claim nothing."""
        first, last = self.clauses.sentence(clause.sentence)
        begin, end = clause.first, clause.last
        while begin > first and self.clauses.at(begin - 1) not in self._claiming:
            begin = self.clauses.at(begin - 1).first
        while end < last and self.clauses.at(end + 1) not in self._claiming:
            end = self.clauses.at(end + 1).last
        outside = self._among(named, begin, clause.first - 1)
        return outside | self._among(named, clause.last + 1, end)

    def _listed(self, sentence: int) -> frozenset[str]:
        """
        Return the places of the lines above that claim nothing, or of those below.

        Which of the two comes first is how the list is made: "Белгород / Тревога /
        Курск / Отбой", or "Тревога: / Белгород / Отбой: / Курск".
        """
        placed = [s for s in self._placed if s not in self._claiming_sentences]
        above = _run(range(sentence - 1, -1, -1), self._claiming_sentences, placed)
        count = len(self._placed) and max(self._placed) + 1
        below = _run(range(sentence + 1, count), self._claiming_sentences, placed)
        first = min(self._claiming_sentences, default=0)
        follow = ":" in self.clauses.gap(sentence) or min(placed, default=0) > first
        chosen = (below or above) if follow else (above or below)
        return frozenset().union(*(self._placed[number] for number in chosen))

    @cached_property
    def _placed(self) -> dict[int, frozenset[str]]:
        """The places of each sentence that names any."""
        found: dict[int, frozenset[str]] = {}
        for index, ids in self.places.items():
            if index < len(self.clauses.words):
                number = self.clauses.at(index).sentence
                found[number] = found.get(number, frozenset()) | ids
        return found

    def _among(self, named: Named, first: int, last: int) -> frozenset[str]:
        """Return what the words from *first* to *last* name."""
        inside = [named[i] for i in range(first, last + 1) if i in named]
        return frozenset().union(*inside)


def _run(
    sentences: Iterable[int], claiming: set[int], placed: Sequence[int]
) -> list[int]:
    """Return the placed ones of *sentences*, up to the first that claims something."""
    found = []
    for number in sentences:
        if number in claiming:
            break
        if number in placed:
            found.append(number)
    return found
