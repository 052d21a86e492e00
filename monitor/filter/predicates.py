"""
Whether a word says what happens, or only names what something is of.

"В области сбиты дроны" speaks of a region, "в области культуры" does not; "над
Белгородской сбили" leaves out the область, "Белгородская филармония" does not.
Endings tell most of it, and no more is needed where a wrong guess costs a nudge.
"""

from monitor.filter.fold import folded_words

_ENDINGS = tuple(
    folded_words(
        "ет ют ут ит ят ат ал ала ало али ел ела ело ели ил ила ило или ул ула уло ули"
        " тся лся лась лось лись ен ена ено ены ан ана ано аны бит бита бито биты"
        " дят нят лят крыт крыта крыто крыты нята нято няты"
        " ує ає яє ють уть ить ать ять ав ила ило ено ано ито уто яно"
    )
)
_NOMINATIVES = tuple(folded_words("ость ая яя ые ие ое ція ция"))
_NO_PREDICATES = frozenset(
    folded_words(
        "охраны торговли футбола волейбола баскетбола гандбола керлинга здоровья"
        " знание знания права охорони торгівлі материала металла персонала капитала"
        " канала филиала"
    )
)
_SMALL = frozenset(
    folded_words(
        "сегодня сейчас ночью утром днем вечером вчера завтра снова вновь опять пока"
        " уже еще вскоре всего всю где что но нет есть был была были было будет идет"
        " идут все никто один одна два две три четыре пять шесть семь восемь девять"
        " десять более около свыше больше под без для из после во пво рэб бпла мчс"
        " спокойно тихо опасно возможны возможна возможен сирена сирены взрывы взрыв"
        " прилеты тревога угроза отбой отбоя режим дан объявляю вследствие временно"
        " сьогодні зараз вночі вранці вдень ввечері знову вже ще поки немає є було"
        " була були два дві три чотири вибухи вибух тривога загроза відбій сирени ппо"
        " лунає лунають гучно пожежа пожар дрон дроны дрони ракеты ракети ударные"
        " is are was were has have will under and but"
    )
)


SHORTEST = 4  # letters; the ending of a shorter word tells nothing


def is_predicate(word: bytes) -> bool:
    """Whether a folded *word* begins what is said, rather than goes on naming."""
    return word in _SMALL or (
        len(word) >= SHORTEST and word.endswith(_ENDINGS) and word not in _NO_PREDICATES
    )


def begins_statement(word: bytes) -> bool:
    """Whether a sentence may go on with *word* after "в области"."""
    return is_predicate(word) or word.endswith(_NOMINATIVES)
