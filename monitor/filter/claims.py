"""
Claims, and why one does not count: denied, put off, void, supposed, of the past.

"Отбой" is an all-clear; "отбоя не было", "отбой дадим отдельно", "отбой объявлен
ошибочно", "отбой прошлой тревоги" and "«Отбой» — сигнал об окончании" are none.
An all-clear must not have a doubt beside it: a missed one costs an hour in the
cellar, a false one may cost a life.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from monitor.filter.clauses import CONTRAST, THIS, Clauses, starts_like
from monitor.filter.fold import folded_words
from monitor.item import Signal


def _folded(words: str) -> frozenset[bytes]:
    return frozenset(folded_words(words))


def _begun(words: str) -> tuple[bytes, ...]:
    return tuple(folded_words(words))


ACTIVE: frozenset[Signal] = frozenset({"danger", "alarm"})
EVENTS: frozenset[Signal] = frozenset({"impact", "casualties"})
SUPPOSABLE: frozenset[Signal] = ACTIVE | EVENTS
REACH: dict[Signal, tuple[int, int]] = {  # words before and after that may deny
    "clear": (3, 3),
    "casualties": (3, 4),
}
DEFINED = "defined"
SHORT = 5  # words of a sentence that only comments on the one beside it: "Это ошибка"

NEGATIONS = _folded(
    "не ни нет без нельзя никто ничего нема немає ні ніхто not no never without none"
    " nobody neither isn't wasn't hasn't aren't weren't haven't nor"
)
WANTING = _folded("без нет without")  # what they deny is no advice
NOUGHT = _folded("нет немає нема none no")  # denies what stands before it, too
UNDONE = _begun(  # after "не" or "not": what was not done to what stands before it
    "был было объявл введен вводил звуч зафиксир обнаруж подтверд поступ наблюд выявл"
    " замеч поміче фикс оказ постра имее оголо зафікс виявл підтверд подтвержд"
    " було бул declared confirmed reported been"
)
UNGIVEN = (
    *UNDONE,
    *_begun(
        "дан дав дал получ прозвуч последова лунал лунав пролун issued given sounded"
    ),
)
NOT = _folded("не not hasn't isn't wasn't")
STILL = _folded("еще пока ще поки yet")  # before "не": what has not come so far
FUTURE = _begun(
    "будет будут прозвуч зазвуч сообщим сообщат сообщу сообщит объявят оповест дадут"
    " ждите жд ожида ждат до после буде будуть повідомимо повідомлять чека очіку"
    " оголосят поступит until once after await will wait soon скоро пока"
)
LATER = _begun(  # anywhere in its clause
    "дадим даст дадут объявим объявит объявят оповестим оповестят отдельн дополнительн"
    " позже позднее возможен вероят надеемся надеюсь скорей планиру готовит оголосимо"
    " отклад отлож задерж затяг перенос перенес завтра дают объявляют подают дає"
    " оголошують затрим перенес відклад tomorrow delayed postponed оголосить"
    " дамо окремо додатково пізніше згодом separate later follow possibl"
    " expected shortly прозвучит последует ожида очіку"
    " ждут ждали обеща обіця"
)
UNREAL = _folded("бы б ли чи би")
MISTAKEN = _begun(
    "ошибоч ошибк преждевремен недействит приостанов аннулир отозван невер помилк"
    " передчасн недійсн хибн призупин анульов відклик mistak erro prematur suspend"
    " revok invalid void false ignor disregard игнор проигнор ложн рановат"
    " неправомер неактуальн сбой збій"
)
RUMOUR = _begun(
    "фейк ложь неправд вброс дезинформ слух чутк брехн обман провокац fake hoax rumo"
    " misinformation disinformation шутк шутит жарт joke"
    " взлом злам мошенник шахра hack"
)
DISBELIEVED = (_folded("не"), _begun("верьте верь доверяй вірте вір"))
CANCELLED = _begun(
    "отмен отмін скасов скасув відмін снят снима знят cancel withdrawn revers rescind"
)
SUPERSEDED = _begun("сменил сменяе смени перешел змінив змінює")  # by another alarm
PRIOR = _begun(  # not "прошла": that is how a danger ends
    "прошлог прошлой прошлый прошлым прошлых прошлую предыдущ прежн вчераш позавчер"
    " минулог минулої минулій попередньо попередні previous yesterday"
)
SO_FAR = _folded("ранее раніше earlier previously")
THINGS = _folded(
    "опасность тревога тревогу угроза угрозу режим сигнал небезпека небезпеку загроза"
    " загрозу тривога тривогу alert alarm threat danger warning"
)
VESSELS = _folded("режим сигнал режима сигнала")  # of an all-clear: «сигнал отбоя»
CALLS_OFF = _begun("отбо відб all-clear")
ALL_CLEAR = folded_words("all clear")
OBLIQUE = _folded("for of from")
ASKING = _begun("надеюсь надеемся спрашива спрос вопрос питают запит asking asks")
MORNING = _begun("утр вранц зранк morn hour this")
WHENEVER = _begun("когда убеди дожди коли щойно when once until whenever")
AS_SOON_AS = folded_words("как только")
THAT = _folded("что що that")
HEARSAY = _folded(
    "вроде говорят кажется якобы будто похоже наверное видимо казали кажуть ніби"
    " нібито схоже мабуть apparently allegedly seems reportedly"
)
EARLY = _folded("рано зарано early")
ERROR = _begun("сбой ошибк помилк mistak erro")  # nouns, which agree with nothing
FEMININE = _begun("ой ая ую на їй ої ого")  # "ошибочной тревоги", "ложного сигнала"
PARTICIPLE = _begun("нной нная нную вшей вшая вшую ена ана ла ної ній")
AT_FAULT = _begun("тревог трив сирен сраб спрац включ siren alarm")
MANY = _begun("ы ена ята аются яются вана овані")  # an all-clear is one, and masculine
BY = _folded("по за by in из-за через")


class Claim(NamedTuple):
    """Words of a text that say something, and why they do not count, if so."""

    signal: Signal
    first: int
    last: int
    whole: bool = True  # said by one phrase, not by a pair
    second: int = 0  # where the second half of a pair begins
    advice: bool = False
    fallen: str = ""


def tried(claims: Sequence[Claim], clauses: Clauses) -> list[Claim]:
    """Return *claims*, each fallen if the words about it say so."""
    active = {clauses.at(c.first).sentence for c in claims if c.signal in ACTIVE}
    return [claim._replace(fallen=_doubt(claim, clauses, active)) for claim in claims]


def _doubt(claim: Claim, clauses: Clauses, active: set[int]) -> str:
    """Return why *claim* does not count, if so."""
    reason = _denied(claim, clauses) or _defined(claim, clauses)
    if claim.signal == "clear":
        return reason or _unsure(claim, clauses) or _void(claim, clauses, active)
    if not reason and claim.signal in SUPPOSABLE:
        return _supposed(claim, clauses)
    return reason


def _denied(claim: Claim, clauses: Clauses) -> str:
    reach = REACH.get(claim.signal, (2, 5))
    before = clauses.near(claim.first, claim.last, (reach[0], 0))
    after = clauses.near(claim.first, claim.last, (0, reach[1]))
    inside = clauses.words[claim.first : claim.last + 1] if not claim.whole else []
    if claim.signal == "clear":
        denied = _negates([*before, *after]) or _negates(inside, NEGATIONS - NOUGHT)
        denied = denied or _still_undone(clauses.inside(clauses.at(claim.last)))
    else:
        undone = _negates(after) and starts_like(after, UNDONE)
        by = NEGATIONS - WANTING if claim.advice else NEGATIONS
        if not claim.whole:  # "дроны над городом не замечены"
            before = [*before, clauses.words[claim.second - 1]]
        denied = _negates(before, by) or undone or _negates(after[:4], NOUGHT)
    return "denied" if denied else ""


def _negates(words: Iterable[bytes], by: frozenset[bytes] = NEGATIONS) -> bool:
    return not by.isdisjoint(words)


def _still_undone(words: Sequence[bytes]) -> bool:
    """Whether a clause says that something has not been done: "ещё не звучал"."""
    for index, word in enumerate(words):
        if word in NEGATIONS:
            if words[index - 1] in STILL and index > 0:
                return True
            if word in NOT and starts_like(words[index + 1 : index + 4], UNGIVEN):
                return True
    return False


def _unsure(claim: Claim, clauses: Clauses) -> str:
    """Return why an all-clear is only asked for, hoped for, or promised."""
    clause = clauses.at(claim.first)
    sentence = clauses.whole(clause.sentence)
    if clauses.asks(clause.sentence) or starts_like(sentence, ASKING):
        return "asked"
    near = clauses.near(claim.first, claim.last, (3, 3))
    whole = clauses.inside(clause)
    if _hearsay(sentence) or _only_if(clauses, claim):
        return "supposed"
    if starts_like(near, FUTURE) or starts_like(whole, LATER) or _too_early(whole):
        return "put off"
    if not UNREAL.isdisjoint(near) or clauses.condition(clause.sentence) < claim.first:
        return "supposed"
    return ""


def _too_early(words: Sequence[bytes]) -> bool:
    """Whether a clause says "рано"; "рано утром" is a time."""
    return any(
        word in EARLY and not following.startswith(MORNING)
        for word, following in pairwise([*words, b""])
    )


def _hearsay(sentence: Sequence[bytes]) -> bool:
    return not HEARSAY.isdisjoint(sentence)


def _only_if(clauses: Clauses, claim: Claim) -> bool:
    """Whether what stands before an all-clear makes it a "when", or denies it."""
    first, _ = clauses.sentence(clauses.at(claim.first).sentence)
    before = clauses.words[first : claim.first]
    if starts_like(before, WHENEVER) or AS_SOON_AS in map(list, pairwise(before)):
        return True
    that = next((i for i, word in enumerate(before) if word in THAT), 0)
    return _negates(before[:that]) or _too_early(before[:that])


def _void(claim: Claim, clauses: Clauses, active: set[int]) -> str:
    """Return why an all-clear is taken back, mistaken, or of another time."""
    clause = clauses.at(claim.first)
    words = clauses.inside(clause)
    following = clauses.inside(clauses.after(clause))
    if _rumoured(clauses.whole(clause.sentence)):
        return "a rumour"
    turned = following[:1] and following[0] in CONTRAST | THIS
    own = claim.last - clause.first
    if _mistaken(words, own) or (turned and _mistaken(following)):
        return "mistaken"
    if _cancelled(claim, clauses, words):
        return "cancelled"
    if starts_like(clauses.words[claim.last + 1 : clause.last + 1], SUPERSEDED):
        return "superseded"
    if _of_another_time(words):
        return "past"
    return _commented(clause.sentence, clauses, active)


def _commented(sentence: int, clauses: Clauses, active: set[int]) -> str:
    """Return what a short sentence beside it says of an all-clear: "Это ошибка"."""
    for number in (sentence - 1, sentence + 1):
        beside = clauses.whole(number)
        if len(beside) > SHORT or number in active:
            continue
        if _rumoured(beside):
            return "a rumour"
        if (
            number > sentence
            and _mistaken(beside)
            and not starts_like(beside, AT_FAULT)
        ):
            return "mistaken"
    return ""


def _rumoured(words: Sequence[bytes]) -> bool:
    if starts_like(words, RUMOUR):
        return True
    nots, verbs = DISBELIEVED
    return any(
        one in nots and other.startswith(verbs) for one, other in pairwise(words)
    )


def _mistaken(words: Sequence[bytes], own: int = -1) -> bool:
    """
    Whether a clause calls an all-clear mistaken.

    Not so "отбой ложной тревоги" and "тревоги, объявленной ошибочно", where the
    gender tells that the alarm was; an all-clear is masculine.  But so "опасность
    отменена ошибочно", where the word at *own* calls it off.
    """
    for index, word in enumerate(words):
        if word.startswith(MISTAKEN):
            if word.endswith(FEMININE) and not word.startswith(ERROR):
                continue
            before = [w for w in words[max(index - 2, 0) : index] if w not in BY]
            following = words[index + 1 : index + 2]
            if starts_like(following, AT_FAULT):  # "false alarm"
                continue
            called_off = own >= 0 and words[own : own + 1] == before[-1:]
            if called_off or not before or not before[-1].endswith(PARTICIPLE):
                return True
    return False


def _cancelled(claim: Claim, clauses: Clauses, words: Sequence[bytes]) -> bool:
    """Whether it is the all-clear that is called off, not the danger."""
    said = clauses.words[claim.first : claim.last + 1]
    own = claim.first - clauses.at(claim.first).first
    if not claim.whole:  # "сигнал «отбой» отменён", "all clear for the alert cancelled"
        if said[0] in VESSELS and _names_itself(said):
            return True
        return _names_itself(words[:own]) and _is_oblique(words, own)
    if not _names_itself(said):
        return False
    ends = (w for w in words if w.startswith(CANCELLED) and not w.endswith(MANY))
    things = (i for i, word in enumerate(words) if word in THINGS - VESSELS)
    return any(ends) and all(_is_oblique(words, i) for i in things)


def _is_oblique(words: Sequence[bytes], index: int) -> bool:
    """Whether the English noun at *index* only says of what: "for the alert"."""
    return not OBLIQUE.isdisjoint(words[max(index - 3, 0) : index])


def _names_itself(words: Sequence[bytes]) -> bool:
    pairs = pairwise(words)
    return starts_like(words, CALLS_OFF) or any([*pair] == ALL_CLEAR for pair in pairs)


def _of_another_time(words: Sequence[bytes]) -> bool:
    """
    Whether a clause tells of an all-clear before this: "прошлой тревоги", "ранее".

    Not so "ранее объявленной опасности": there the danger is the earlier one.
    """
    if starts_like(words, PRIOR):
        return True
    return any(
        word in SO_FAR
        and not any(w.endswith(PARTICIPLE) for w in words[max(i - 1, 0) : i + 2])
        for i, word in enumerate(words)
    )


def _defined(claim: Claim, clauses: Clauses) -> str:
    """Return why "ракетная опасность — это сигнал" announces none."""
    if claim.signal not in ACTIVE and claim.signal != "clear":
        return ""
    sentence = clauses.at(claim.first).sentence
    end = clauses.definition(sentence)
    subject = clauses.whole(sentence) if end else []
    if claim.first < end or (end and starts_like(subject, CALLS_OFF)):
        return DEFINED
    return ""


def _supposed(claim: Claim, clauses: Clauses) -> str:
    sentence = clauses.at(claim.first).sentence
    condition = clauses.condition(sentence)
    if claim.signal in ACTIVE:
        condition = min(condition, clauses.occasion(sentence))
    return "supposed" if condition < claim.last else ""
