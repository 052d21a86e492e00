"""
The words of the interface, in the three languages that sources speak.

`SAY` holds the wording of alerts by language and key, `WHAT` what a headline
calls a signal, alone or of one topic.  Everything that is not here is said by
the sources themselves.
"""

from collections.abc import Mapping
from typing import Literal

from monitor.item import Signal, Voice

Language = Literal["ru", "uk", "en"]

LANGUAGES: tuple[Language, ...] = ("ru", "uk", "en")

# Threats, the gravest first.  Where a text names some, they are what it is about, and
# its other topics (roads, schools, …) are what follows from them.
THREATS = ("missile", "uav", "shelling", "incursion", "mine", "fire")

TOPICS: Mapping[Language, Mapping[str, str]] = {
    "ru": {
        "uav": "БПЛА", "missile": "ракеты", "shelling": "обстрел",
        "incursion": "прорыв границы", "mine": "мины", "fire": "пожар",
        "air-defence": "ПВО", "evacuation": "эвакуация",
        "utilities": "свет, вода, газ", "roads": "дороги", "schools": "школы",
        "internet": "интернет",
    },
    "uk": {
        "uav": "БпЛА", "missile": "ракети", "shelling": "обстріл",
        "incursion": "прорив кордону", "mine": "міни", "fire": "пожежа",
        "air-defence": "ППО", "evacuation": "евакуація",
        "utilities": "світло, вода, газ", "roads": "дороги", "schools": "школи",
        "internet": "інтернет",
    },
    "en": {
        "uav": "drones", "missile": "missiles", "shelling": "shelling",
        "incursion": "border incursion", "mine": "mines", "fire": "fire",
        "air-defence": "air defence", "evacuation": "evacuation",
        "utilities": "power, water, gas", "roads": "roads", "schools": "schools",
        "internet": "internet",
    },
}  # fmt: skip

# By signal and topic; a topic of "" is the signal alone, and what is said before a
# colon and the names of topics that have no wording of their own.
WHAT: Mapping[Language, Mapping[tuple[Signal, str], str]] = {
    "ru": {
        ("danger", ""): "Опасность",
        ("danger", "uav"): "Опасность БПЛА",
        ("danger", "missile"): "Ракетная опасность",
        ("danger", "shelling"): "Опасность обстрела",
        ("danger", "incursion"): "Опасность прорыва границы",
        ("danger", "mine"): "Минная опасность",
        ("danger", "fire"): "Опасность пожара",
        ("danger", "air-defence"): "Работает ПВО",
        ("danger", "evacuation"): "Эвакуация",
        ("alarm", ""): "Тревога",
        ("alarm", "uav"): "Тревога: БПЛА",
        ("alarm", "missile"): "Ракетная тревога",
        ("impact", ""): "Происшествие",
        ("impact", "uav"): "Атака БПЛА",
        ("impact", "missile"): "Ракетный удар",
        ("impact", "shelling"): "Обстрел",
        ("impact", "incursion"): "Прорыв границы",
        ("impact", "mine"): "Подрыв на мине",
        ("impact", "fire"): "Пожар",
        ("impact", "air-defence"): "Сработала ПВО",
        ("impact", "evacuation"): "Эвакуация",
        ("casualties", ""): "Пострадавшие",
        ("clear", ""): "Отбой",
        ("clear", "uav"): "Отбой опасности БПЛА",
        ("clear", "missile"): "Отбой ракетной опасности",
        ("drill", ""): "Учебная тревога",
        ("forecast", ""): "Прогноз",
        ("recap", ""): "Сводка",
        ("correction", ""): "Уточнение",
    },
    "uk": {
        ("danger", ""): "Небезпека",
        ("danger", "uav"): "Загроза БпЛА",
        ("danger", "missile"): "Ракетна небезпека",
        ("danger", "shelling"): "Загроза обстрілу",
        ("danger", "incursion"): "Загроза прориву кордону",
        ("danger", "mine"): "Мінна небезпека",
        ("danger", "fire"): "Загроза пожежі",
        ("danger", "air-defence"): "Працює ППО",
        ("danger", "evacuation"): "Евакуація",
        ("alarm", ""): "Тривога",
        ("alarm", "uav"): "Тривога: БпЛА",
        ("alarm", "missile"): "Ракетна тривога",
        ("impact", ""): "Подія",
        ("impact", "uav"): "Атака БпЛА",
        ("impact", "missile"): "Ракетний удар",
        ("impact", "shelling"): "Обстріл",
        ("impact", "incursion"): "Прорив кордону",
        ("impact", "mine"): "Підрив на міні",
        ("impact", "fire"): "Пожежа",
        ("impact", "air-defence"): "Спрацювала ППО",
        ("impact", "evacuation"): "Евакуація",
        ("casualties", ""): "Постраждалі",
        ("clear", ""): "Відбій",
        ("clear", "uav"): "Відбій загрози БпЛА",
        ("clear", "missile"): "Відбій ракетної небезпеки",
        ("drill", ""): "Навчальна тривога",
        ("forecast", ""): "Прогноз",
        ("recap", ""): "Зведення",
        ("correction", ""): "Уточнення",
    },
    "en": {
        ("danger", ""): "Danger",
        ("danger", "uav"): "Drone danger",
        ("danger", "missile"): "Missile danger",
        ("danger", "shelling"): "Shelling danger",
        ("danger", "incursion"): "Border incursion danger",
        ("danger", "mine"): "Mine danger",
        ("danger", "fire"): "Fire danger",
        ("danger", "air-defence"): "Air defence at work",
        ("danger", "evacuation"): "Evacuation",
        ("alarm", ""): "Alarm",
        ("alarm", "uav"): "Drone alarm",
        ("alarm", "missile"): "Missile alarm",
        ("impact", ""): "Incident",
        ("impact", "uav"): "Drone attack",
        ("impact", "missile"): "Missile strike",
        ("impact", "shelling"): "Shelling",
        ("impact", "incursion"): "Border incursion",
        ("impact", "mine"): "Mine explosion",
        ("impact", "fire"): "Fire",
        ("impact", "air-defence"): "Air defence fired",
        ("impact", "evacuation"): "Evacuation",
        ("casualties", ""): "Casualties",
        ("clear", ""): "All clear",
        ("clear", "uav"): "All clear: drones",
        ("clear", "missile"): "All clear: missiles",
        ("drill", ""): "Drill",
        ("forecast", ""): "Forecast",
        ("recap", ""): "Summary",
        ("correction", ""): "Correction",
    },
}

VOICES: Mapping[Language, Mapping[Voice, str]] = {
    "ru": {
        "official": "официальный источник",
        "emergency": "экстренная служба",
        "press": "СМИ",
        "independent": "независимый источник",
        "analyst": "аналитики",
        "party": "сторона конфликта",
    },
    "uk": {
        "official": "офіційне джерело",
        "emergency": "екстрена служба",
        "press": "ЗМІ",
        "independent": "незалежне джерело",
        "analyst": "аналітики",
        "party": "сторона конфлікту",
    },
    "en": {
        "official": "official source",
        "emergency": "emergency service",
        "press": "press",
        "independent": "independent source",
        "analyst": "analysts",
        "party": "party to the conflict",
    },
}

SAY: Mapping[Language, Mapping[str, str]] = {
    "ru": {
        "edited": "Изменено в источнике",
        "deleted": "Удалено в источнике",
        "was deleted": "Удалено",
        "added": "добавлено",
        "removed": "убрано",
        "matters no more": "больше не подходит под правила",
        "why": "Почему",
        "rules": "правила",
        "topics": "темы",
        "words": "слова",
        "from": "переслано от",
        "more": "и ещё",
        "blind": "Пока связи не было",
        "source": "источник",
        "local": "местное время",
    },
    "uk": {
        "edited": "Змінено в джерелі",
        "deleted": "Видалено в джерелі",
        "was deleted": "Видалено",
        "added": "додано",
        "removed": "прибрано",
        "matters no more": "більше не підпадає під правила",
        "why": "Чому",
        "rules": "правила",
        "topics": "теми",
        "words": "слова",
        "from": "переслано від",
        "more": "і ще",
        "blind": "Поки зв'язку не було",
        "source": "джерело",
        "local": "місцевий час",
    },
    "en": {
        "edited": "Edited at the source",
        "deleted": "Deleted at the source",
        "was deleted": "Deleted",
        "added": "added",
        "removed": "removed",
        "matters no more": "no longer matches the rules",
        "why": "Why",
        "rules": "rules",
        "topics": "topics",
        "words": "words",
        "from": "forwarded from",
        "more": "and another",
        "blind": "While there was no connection",
        "source": "source",
        "local": "local time",
    },
}

# Of one, of two, of five, as Slavic languages count.
MESSAGES: Mapping[Language, tuple[str, str, str]] = {
    "ru": ("сообщение", "сообщения", "сообщений"),
    "uk": ("повідомлення", "повідомлення", "повідомлень"),
    "en": ("message", "messages", "messages"),
}
