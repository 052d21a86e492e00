"""The town's configuration: small, so that a process that is killed is soon back."""

import secrets
from base64 import b64encode
from pathlib import Path

PLACES = (
    "Козинка", "Глотово", "Почаево", "Безымено", "Смородино", "Головчино", "Ломное",
    "Новостроевка", "Сподарюшино", "Нехотеевка", "Устинка", "Зиборовка", "Щетиновка",
    "Журавлёвка", "Бочковка", "Теребрено", "Вязовое", "Демидовка", "Репяховка",
    "Вознесеновка", "Бессоновка", "Никитовка", "Уразово", "Шелаево", "Двулучное",
    "Тишанка", "Волоконовка", "Ливенка", "Засосна", "Палатовка", "Верхососна",
    "Стрелецкое",
)  # fmt: skip
HOOKS = 8  # receivers of webhooks; each has every eighth place

MAIN = """\
state: ./state
web: {{allow: [127.0.0.0/8], pace: 1ms}}
telegram: {{preview: "{press}"}}
topics: [{{name: uav, words: {{ru: [беспилотник~]}}}}]
rules: [{{name: drones, places: [RU-BEL], topics: [uav], severity: critical}}]
sinks:
  - {{name: bot, kind: telegram, token: {{file: bot-token}}, api: "{bot}"}}
  - {{name: hook, kind: webhook, secret: {{file: hook-secret}}}}
"""


def chats_of(place: str) -> frozenset[str]:
    """Return who lives at *place*: a chat, and a receiver of webhooks."""
    number = PLACES.index(place)
    return frozenset({f"bot-{1000 + number}", f"hook-{number % HOOKS}"})


def configured(folder: Path, token: str, *, press: str, bot: str, hook: str) -> Path:
    """Write the configuration of the town, whose world is at these addresses."""
    _keep(folder / "bot-token", token)
    _keep(
        folder / "hook-secret", f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"
    )
    lines = [MAIN.format(press=press, bot=bot)]
    lines += ["places:", "  - id: RU-BEL", "    kind: region"]
    lines += ["    name: {ru: Белгородская область}", "    places:"]
    lines += [
        f"      - {{id: p{number}, kind: village, name: {{ru: {place}}}}}"
        for number, place in enumerate(PLACES)
    ]
    lines.append("subscribers:")
    for number in range(len(PLACES)):
        to, where = 1000 + number, f"[RU-BEL.p{number}]"
        lines.append(f'  - {{name: bot-{to}, sink: bot, to: "{to}", places: {where}}}')
    for number in range(HOOKS):
        some = range(number, len(PLACES), HOOKS)
        where = ", ".join(f"RU-BEL.p{place}" for place in some)
        lines.append(
            f'  - {{name: hook-{number}, sink: hook, to: "{hook}/{number}", '
            f"places: [{where}]}}"
        )
    lines.append("sources:")
    common = "home: RU-BEL, every: 200ms"
    lines += [
        f"  - {{name: {name}, kind: telegram, channel: {name}, {common}}}"
        for name in ("c0", "c1", "c2")
    ]
    lines += [
        f'  - {{name: {name}, kind: feed, url: "{press}/{name}.xml", {common}}}'
        for name in ("f0", "f1")
    ]
    file = folder / "monitor.yaml"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def _keep(path: Path, secret: str) -> None:
    path.touch(mode=0o600)
    path.write_text(secret, "ascii")
