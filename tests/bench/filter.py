"""
How fast texts are read and rules are met, with everything that is shipped.

Processor time, the best of several rounds: the machine does other things, too.
"""

import tracemalloc
from collections.abc import Callable, Iterator
from time import process_time

from monitor.filter import Filter, Rule
from monitor.filter.fold import fold
from tests.filter_config import (
    made,
    origin,
    post,
    shipped_places,
    shipped_rules,
    shipped_signals,
    shipped_topics,
)

ROUNDS = 15
HOME = "RU-BEL"
QUIET = (
    "Сегодня в библиотеках прошли встречи с читателями. Ребята узнали много нового и"
    " интересного, приняли участие в викторинах, а лучшие получили подарки от"
    " организаторов. Благодарим волонтёров и родителей за помощь! Запись в кружки и"
    " секции продолжается, подробности можно узнать у классных руководителей. Желаем"
    " всем хорошего настроения и ярких впечатлений. До новых встреч, дорогие друзья, и"
    " спасибо, что были с нами весь этот замечательный день!"
)
WARNING = (
    "В Грайворонском округе работает ПВО, сбиты два БПЛА над селом Козинка. По"
    " предварительной информации, повреждён дом, пострадавших нет. "
)
DENSE = WARNING + (
    "В Шебекине, Новой Таволжанке и Муроме звучат сирены, спуститесь в подвалы и"
    " оставайтесь там до отбоя. В Валуйках и Короче объявлена ракетная опасность."
    " Движение по трассе Белгород — Шебекино перекрыто. В Старом Осколе и Губкине без"
    " происшествий, экстренные службы на месте. Держим связь, информация уточняется в"
    " Яковлевском и Корочанском округах Белгородской области."
)
POSTS = {"quiet": QUIET, "warning": WARNING + QUIET[: 560 - len(WARNING)]}
POSTS["dense"] = DENSE


def measure() -> dict[str, float]:
    """Return times in µs a post (``…_us``) and in ms (``…_ms``), rates and sizes."""
    return dict(_measured())


def _measured() -> Iterator[tuple[str, float]]:
    text = DENSE * 20
    folded, lowered = _seconds(lambda: fold(text)), _seconds(text.lower)
    yield "fold, million characters/s", len(text) / folded / 1e6
    yield "fold, times str.lower", folded / lowered
    yield "compile 4,160 places and all rules, ms CPU", 1000 * _seconds(_compiled, 1)
    tracemalloc.start()
    reader = _compiled()
    yield "compiled, MB", tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    for name, said in POSTS.items():
        yield f"read a {name} post, µs", 1e6 * _reading(reader, said)
    for count in (10, 1000, 10_000):
        yield f"read and judge by {count:,} rules, µs", 1e6 * _judging(count)


def _compiled() -> Filter:
    return Filter(
        shipped_places(), shipped_topics(), shipped_signals(), shipped_rules()
    )


def _reading(reader: Filter, text: str) -> float:
    item, whose = post(text), origin(HOME)
    return _seconds(lambda: reader.read(item, whose))


def _judging(count: int) -> float:
    """Return the seconds that a post takes that meets one of *count* rules."""
    rules = [Rule(name=f"r{i}", words=(f"слово{i}ж",)) for i in range(count)]
    reader, item = made(rules=rules), post(f"{QUIET} слово0ж")
    return _seconds(lambda: reader.judge(item, origin()))


def _seconds(act: Callable[[], object], times: int = 50) -> float:
    act()
    best = float("inf")
    for _ in range(ROUNDS if times > 1 else 3):
        start = process_time()
        for _ in range(times):
            act()
        best = min(best, (process_time() - start) / times)
    return best
