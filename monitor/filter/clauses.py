"""
Sentences and clauses, and what turns the meaning of one round.

"Опасность снята" and "опасность не снята", "отбой" and "до отбоя", "сирена" and
"если услышите сирену" share their words.  What tells them apart stands in the same
clause, so a text is cut into clauses first.  A comma ends a clause, unless what
follows it is only inserted: "угроза, объявленная утром, снята".
"""

from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property
from math import inf
from typing import NamedTuple

from monitor.filter.agree import agree
from monitor.filter.fold import folded_words
from monitor.filter.words import Words


def _folded(words: str) -> frozenset[bytes]:
    return frozenset(folded_words(words))


def _begun(words: str) -> tuple[bytes, ...]:
    return tuple(folded_words(words))


CONDITIONS = _folded(
    "если якщо if случае разі case напоминаем нагадуємо памятка правила алгоритм"
)
OCCASIONS = (
    _begun(  # after "при", "по": what may come one day, and is to be obeyed then
        "сигнал получ объявл угроз обнаруж возникнов звук повтор включ срабат отриман"
        " виявлен"
    )
)
WHAT_TO_DO = folded_words("что делать")
ON = _folded("при по за upon")
LASTING = _begun(
    "сохран продолж остае остаю действует действую ждем сидим чекаємо триває збері"
    " залиша remain continu still ongoing persist ще еще"
)
EXCEPT = _folded(
    "кроме исключением окрім крім винятком except excluding помимо частично частичный"
    " частково частковий partial partially почти некоторых ряде части отдельных"
    " частині деяких майже some parts most касается относится распространяется"
    " стосується concerns applies"
)
ONLY = _folded("только лише тільки only")
NOT = _folded("не not")
NOT_FOR = _begun("для распростран каса относ везде всюду всех наш for every")
NOT_ONLY = _folded("что сейчас дали объявили недавно now just що зараз")
REST = _begun("остальн исключени інш решт винят rest others except")
SO = _folded("того этого цього")  # "кроме того"
SOME = _folded("для в во на по у за in for")  # "только в Курске"; not "только что"
TIMES = _folded("в во на с о об у по к ще in at on since") | {b""}
PAST = _folded(
    "была был были было ранее раньше длилась длился действовала действовал объявлялась"
    " объявлялся объявляли звучала звучали вчера накануне раніше була був було були"
    " тривала вчора was were earlier had yesterday lasted напомним"
)
FOR = _folded("для for")
NOT_SO = _folded("нет ні немає no")
THREATS = _begun("режим опасност беспилотн ракетн авиац бпла дрон безпілотн загроз")
THIS = _folded("это це is")  # after a dash: what something is
SIGNAL = _begun(  # and the kind of thing that it is
    "сигнал режим уров предупр состоян когда возможн угроз вероятн рівень поперед стан"
    " коли загроз signal level warning when"
)
ALL_CLEAR = _folded("отбой відбій")
OF_ALL_CLEAR = _folded("отбоя відбою")
KINDS = _begun("сигнал команда signal")
SOUNDS = _begun(
    "отбой відбій гудок гудк звук сирен сообщени повідомлен голосов sms смс"
)
MEANING = _begun("означа обознач")
AFTERMATH = _begun(  # what came of it before it was called off
    "результат последств поврежд постра посеч разруш сбит уничтож перехвач обломк ранее"
    " отработ відпрац внаслідок наслід пошкодж зруйн збит знищ damage result following"
)
AFTER = _folded("после от при во время вследствие після під час after from during")
CONTRAST = _folded("но однако а але проте but however зато however хотя тогда")
HEED = _begun("приготов готов внима будьте бдит остор следи жд уваг чека")
INSERTED = _begun(
    "объявленн введенн действовавш котор начавш оголошен введен раніш announced which"
    " declared issued"
)
ACCORDING = _begun(
    "предварительн уточненн данным информаци оперативн попередн уточнен даними"
    " счастью последним словам состоянию"
)
SHORTENED = _folded(
    "г с п х д м ул пос обл р-н им н т е др пр пл вул св st mr mrs ст пер тел кв"
)
HOURS = {b"%d" % n: n for n in range(24)} | {b"%02d" % n: n for n in range(24)}
MINUTES = {b"%02d" % n: n for n in range(60)}
DAY = 24 * 60  # minutes
OVER_MIDNIGHT = DAY // 2  # minutes; a list of one post is not longer
LATEST_FIRST = 6 * 60  # minutes; how far back a list with the newest on top goes
PICTURES = "\u2600"  # from here on nearly all characters are emoji or signs
DASHES = frozenset("—–-")
APART = frozenset("()/|")
ENDS = frozenset(".!?\n;…•")


class Clause(NamedTuple):
    """Words from *first* to *last*, and the number of their sentence."""

    first: int
    last: int
    sentence: int


class Clauses:
    """A text cut into clauses."""

    def __init__(self, words: Words) -> None:
        self.words = words.folded
        self._text = words
        self.all: list[Clause] = []
        self._gaps: dict[int, str] = {}
        self._known: dict[Clause, tuple[bool, bool]] = {}
        self._turns_at: dict[int, tuple[float, float, float]] = {}
        self._sentences: dict[int, tuple[int, int]] = {}
        self._of: list[int] = []
        self._breaks = set()
        self._gaps[-1] = words.gaps[0]
        sentence = first = 0
        inserted = False
        count = len(self.words)
        for index, gap in enumerate(words.gaps[1:], 1):
            if gap == " " and index < count and self.words[index] not in CONTRAST:
                continue  # nearly always
            ends = index == count or self._ends(words, index, gap)
            if not ends and "," in gap:
                if inserted or self._inserts(index):
                    inserted = not inserted
                    continue
            elif not ends and not self._turns(index, gap):
                continue
            self.all.append(Clause(first, index - 1, sentence))
            begin, _ = self._sentences.setdefault(sentence, (first, 0))
            self._sentences[sentence] = (begin, index - 1)
            self._of += [len(self.all) - 1] * (index - first)
            if ends:
                self._gaps[sentence] = gap
            if "\n" in gap:
                self._breaks.add(len(self.all))
            first, sentence = index, sentence + ends
            inserted = inserted and not ends

    def at(self, index: int) -> Clause:
        """Return the clause in which the word at *index* stands."""
        return self.all[self._of[index]]

    def begins_line(self, clause: Clause) -> bool:
        """Whether *clause* begins a line of its own."""
        return self._of[clause.first] in self._breaks

    def lasts(self, clause: Clause) -> bool:
        """Whether *clause* says that something goes on."""
        return self._about(clause)[0]

    def is_aftermath(self, clause: Clause) -> bool:
        """Whether *clause* tells what came of something: "повреждён дом"."""
        words = self.inside(clause)
        return not AFTER.isdisjoint(words) or starts_like(words, AFTERMATH)

    def is_bare(self, first: int, last: int) -> bool:
        """Whether words may be of a list: not so "Белгород - РО", "Курск ждёт"."""
        first += self.words[first] == b"-"  # a mark before an item
        words = self.words[first : last + 1]
        told = starts_like(words, HEED) or not (NOT | NOT_SO).isdisjoint(words)
        opposed = words[:1] == [] or words[0] in CONTRAST or self._parts(first, last)
        return not (told or opposed)

    def is_past(self, clause: Clause) -> bool:
        """Whether *clause* speaks of what is over."""
        return self._about(clause)[1]

    def inside(self, clause: Clause | None) -> list[bytes]:
        """Return the words of *clause*."""
        return self.words[clause.first : clause.last + 1] if clause else []

    def after(self, clause: Clause) -> Clause | None:
        """Return the clause of the same sentence that follows *clause*."""
        following = clause.last + 1
        if following >= len(self.words):
            return None
        other = self.at(following)
        return other if other.sentence == clause.sentence else None

    def whole(self, sentence: int) -> list[bytes]:
        """Return the words of a sentence; none, if there is no such."""
        first, last = self._sentences.get(sentence, (0, -1))
        return self.words[first : last + 1]

    def gap(self, sentence: int) -> str:
        """Return what stands between a sentence and the one after it."""
        return self._gaps.get(sentence, "")

    def clock(self, clause: Clause) -> int | None:
        """Return the minute of the day at which *clause* puts itself: "14:02 отбой"."""
        for index in range(clause.first, clause.last):
            hour, minute = self.words[index : index + 2]
            colon = self._text.gap(index + 1) in (":", ".")
            if colon and hour in HOURS and minute in MINUTES:
                since = index > clause.first and self.words[index - 1] in TIMES
                return None if since else HOURS[hour] * 60 + MINUTES[minute]
        return None

    def is_later(self, one: int, other: int) -> bool:
        """Whether the word at *one* comes after that at *other*: by clock, or below."""
        ended, begun = self.clock(self.at(one)), self.clock(self.at(other))
        below = one > other
        if ended is None or begun is None:
            return below
        if below:
            return (ended - begun) % DAY < OVER_MIDNIGHT
        return 0 < (ended - begun) % DAY <= LATEST_FIRST

    def sentence(self, number: int) -> tuple[int, int]:
        """Return the first and the last word of a sentence."""
        return self._sentences[number]

    def asks(self, sentence: int) -> bool:
        """Whether a sentence ends with a question mark."""
        return "?" in self._gaps.get(sentence, "")

    def goes_on(self, clause: Clause) -> bool:
        """Whether the sentence of *clause* excepts something, or goes on elsewhere."""
        if any(self._excepts(i) for i in self._within(clause.sentence)):
            return True
        first, last = (self._of[index] for index in self._sentences[clause.sentence])
        others = (c for c in self.all[first : last + 1] if c != clause)
        return any(self.lasts(c) or self._not_so(c) for c in others)

    def opens_with_exception(self, sentence: int) -> bool:
        """Whether a sentence begins like "Кроме Шебекино", "В остальных"."""
        first, last = self._sentences.get(sentence, (0, -1))
        return any(self._excepts(i) for i in range(first, min(first + 1, last) + 1))

    def follows(self, first: int, last: int) -> bool:
        """
        Whether the word at *last* only continues the clause before its own.

        "Опасность объявлена в 02:15, снята в 03:40": it opens its clause, and what
        comes after it is a time or a place, not somebody else ("отменены рейсы").
        """
        before, own = self.at(first), self.at(last)
        next_ = self.words[last + 1] if last < own.last else b""
        return (
            own.first == last
            and before.last + 1 == own.first
            and before.sentence == own.sentence
            and (next_ in TIMES or next_.isdigit())
        )

    def joins(self, thing: tuple[int, int], fate: tuple[int, int]) -> bool:
        """
        Whether a fate is that of the thing: they agree, and no colon parts them.

        So in "опасность БПЛА: снята", not in "отменили концерт: угроза атаки" or in
        "угроза атаки: концерт отменён", where the colon gives a reason.
        """
        next_ = self.words[fate[1] + 1] if fate[1] < self.at(fate[0]).last else b""
        open_ = next_ not in TIMES and not next_.isdigit()
        if not agree(self.words[thing[1]], self.words[fate[0]], open_=open_):
            return False
        if fate[0] < thing[0]:
            return not self._parts(fate[1], thing[0])
        part = self._parts(thing[1], fate[0])
        if not part:
            return True
        own = self.words[part : fate[0]]
        return not open_ and (not own or own[0] in TIMES)

    def _parts(self, first: int, last: int) -> int:
        """Return the word after the last colon or dash between two, 0 if none."""
        before = bisect_right(self._parted, last)
        index = self._parted[before - 1] if before else 0
        return index if index > first else 0

    @cached_property
    def _parted(self) -> list[int]:
        """The words before which a colon or a dash stands; a clock has none."""
        return [i for i in range(1, len(self.words)) if self._has_part(i)]

    def _has_part(self, index: int) -> bool:
        gap = self._text.gap(index)
        if gap == " ":
            return self.words[index - 1] == b"-"
        colon = ":" in gap and not (gap == ":" and self.words[index].isdigit())
        return colon or not DASHES.isdisjoint(gap) or self.words[index - 1] == b"-"

    def condition(self, sentence: int) -> float:
        """Return where a sentence begins to suppose; infinity if it does not."""
        return self._turn(sentence)[0]

    def occasion(self, sentence: int) -> float:
        """Return where a sentence speaks of what to do one day: "при сигнале"."""
        return self._turn(sentence)[1]

    def definition(self, sentence: int) -> float:
        """
        Return up to which word a sentence only says what something is.

        All of "опасность — это сигнал, означающий угрозу" does so, but in "сирена
        означает угрозу" what comes after the verb may be meant.
        """
        return self._turn(sentence)[2]

    def near(self, first: int, last: int, reach: tuple[int, int]) -> list[bytes]:
        """Return the words of one clause that stand near *first* to *last*."""
        clause_first, clause_last = self.at(first).first, self.at(last).last
        return (
            self.words[max(clause_first, first - reach[0]) : first]
            + self.words[last + 1 : min(clause_last, last + reach[1]) + 1]
        )

    def _turn(self, sentence: int) -> tuple[float, float, float]:
        """Return condition, occasion and definition of a sentence, found once."""
        if sentence not in self._turns_at:
            inside = self._within(sentence)
            condition = next((i for i in inside if self._if(i)), inf)
            occasion = next((i for i in inside if self._upon(i)), inf)
            meant = (i for i in inside if self.words[i].startswith(MEANING))
            defines = any(self._defines(i) for i in inside)
            definition = inf if defines else max(meant, default=0)
            self._turns_at[sentence] = (condition, occasion, definition)
        return self._turns_at[sentence]

    def _excepts(self, index: int) -> bool:
        if self.words[index] in NOT:
            return starts_like(self.words[index + 1 : index + 2], NOT_FOR)
        following = self.words[index + 1 : index + 3]
        if self.words[index] not in ONLY:
            rest = self.words[index] in EXCEPT or self.words[index].startswith(REST)
            return rest and SO.isdisjoint(following[:1])
        if following[:1] == [] or following[0] in NOT_ONLY:
            return False
        return not (following[0] in SOME and following[-1].isdigit())

    def _not_so(self, clause: Clause) -> bool:
        """Whether a clause says of another threat: "режим беспилотной — нет"."""
        if self.words[clause.first] in FOR and self.words[clause.last] in NOT_SO:
            return True
        return (
            self.words[clause.last] in NOT_SO
            and not DASHES.isdisjoint(self._text.gap(clause.last))
            and starts_like(self.inside(clause), THREATS)
        )

    def _ends(self, words: Words, index: int, gap: str) -> bool:
        """Whether a sentence ends before the word at *index*."""
        if ENDS.isdisjoint(gap):
            return gap != "" and max(gap) > PICTURES
        if gap.startswith(".") and ENDS.intersection(gap) == {"."}:
            start = words.spans[index][0]
            following = words.text[start]
            short = words.folded[index - 1] in SHORTENED
            return not short and (gap != "." or not following.isdigit())
        return True

    def _about(self, clause: Clause) -> tuple[bool, bool]:
        if clause not in self._known:
            words = self.inside(clause)
            past = not PAST.isdisjoint(words)
            self._known[clause] = (starts_like(words, LASTING), past)
        return self._known[clause]

    def _within(self, sentence: int) -> range:
        first, last = self._sentences[sentence]
        return range(first, last + 1)

    def _defines(self, index: int) -> bool:
        spaced = index > 1 and self.words[index - 1] == b"-"
        if not spaced and DASHES.isdisjoint(self._text.gap(index)):
            return False
        if self.words[index] in THIS:
            return starts_like(self.words[index + 1 : index + 4], SIGNAL)
        before = self.words[index - 1 - spaced]
        if before in OF_ALL_CLEAR:  # "сигнал отбоя — «отбой», три гудка"
            return starts_like(self.words[index : index + 3], SOUNDS)
        return before in ALL_CLEAR and self.words[index].startswith(KINDS)

    def _if(self, index: int) -> bool:
        pair = self.words[index : index + 2]
        return self.words[index] in CONDITIONS or pair == WHAT_TO_DO

    def _upon(self, index: int) -> bool:
        following = self.words[index + 1 : index + 2]
        return self.words[index] in ON and starts_like(following, OCCASIONS)

    def _turns(self, index: int, gap: str) -> bool:
        return self.words[index] in CONTRAST or not APART.isdisjoint(gap)

    def _inserts(self, index: int) -> bool:
        word = self.words[index]
        following = self.words[index + 1] if index + 1 < len(self.words) else b""
        if word.startswith(INSERTED):
            return True
        return word in _SMALL and following.startswith(ACCORDING)


def starts_like(words: Iterable[bytes], beginnings: tuple[bytes, ...]) -> bool:
    """Whether one of *words* begins like one of *beginnings*."""
    return any(word.startswith(beginnings) for word in words)


_SMALL = _folded("по к за на")
