"""
Whether a verb can be said of a noun: in Russian they agree in number and gender.

"Тревога отменена" calls an alarm off; in "тревога и отменены занятия" and "отменили
концерт угроза атаки" something else is cancelled, because of it.
"""

from monitor.filter.fold import folded_words

SUBJECTS = frozenset(folded_words("угроза тревога загроза тривога"))  # no objects
FEMININE = SUBJECTS | frozenset(folded_words("опасность небезпека"))
TRANSITIVE = frozenset(
    folded_words("отменили отменил отменила отменяем отменяю сняли снял")
)
MASCULINE = frozenset(
    folded_words("снят отменен завершен завершился закончился окончен прекращен")
)
PLURAL = frozenset(folded_words("сняты отменены снимаются отменяются миновали"))


def agree(noun: bytes, verb: bytes, *, open_: bool) -> bool:
    """
    Return whether *verb* may be said of *noun*; both are folded words.

    Args:
        open_: A word follows that may be what the verb is said of, instead: "отменены
            занятия".  A plural without one may be of several dangers.
    """
    if verb in TRANSITIVE:
        return noun not in SUBJECTS
    if verb in MASCULINE:
        return noun not in FEMININE
    return not (open_ and verb in PLURAL and noun in FEMININE)
