"""Telegram: messages of a bot, by the Bot API."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Literal

from monitor.alert import compose, digest
from monitor.alert.compose import LIMIT
from monitor.alert.inert import cut, line, still
from monitor.alert.sink import (
    NOT_RECOGNISED,
    Alert,
    Digest,
    Message,
    Pace,
    Repeats,
    Window,
)
from monitor.errors import Failure, Gone, Moved, Rejected, Transient
from monitor.secret import Secret, redact
from monitor.web import Web

# The Bot API takes about 1 message a second for a chat, 20 a minute for a group and 30
# a second in all (core.telegram.org/bots/faq).  A slow message and a quick one after it
# arrive closer together than they left, hence a little less of the last two.
PACE = Pace(
    per_recipient=timedelta(seconds=1),
    per_group=Window(count=20, span=timedelta(seconds=61)),
    overall_per_second=29,
    group_mark="-",
    thread_mark=":",
)
OK = 200
CLIENT_ERROR, SERVER_ERROR = 400, 500
USUAL_WAIT, LONGEST_WAIT = 5, 86_400  # seconds, if a 429 says none, or nonsense
_ANY_CASE = re.IGNORECASE
PLAIN_LENGTH = 3500  # leaves room for what `still` adds, and for a server's own count
GENERAL = 1  # the thread of a forum that is named by not naming it

Action = Literal[
    "done", "plain", "wait", "chat waits", "gone", "sink gone", "rejected", "again"
]

# What a refusal means for us; the first that fits counts, a status of 0 fits any.
# "plain": say it once more without markup; "done": it is as it should be already.
# Any other 4xx is "rejected", and what is no 4xx at all is "again".
REFUSALS: tuple[tuple[int, str, Action], ...] = (
    (429, r"slow.?mode", "chat waits"),
    (400, r"slow.?mode", "chat waits"),
    (429, r"", "wait"),
    (401, r"", "sink gone"),  # the token was revoked
    (404, r"", "sink gone"),  # no bot has, or could have, such a token
    (403, r"", "gone"),  # blocked, kicked, deactivated, never started
    (400, r"message is not modified", "done"),
    (400, r"can't (parse|find)|entit(y|ies)|unsupported start tag|end tag", "plain"),
    (400, r"message is too long|message_too_long", "plain"),
    (400, r"message (to edit|to be replied)? ?not found", "rejected"),
    (400, r"chat not found|user not found|peer_id_invalid", "gone"),
    (400, r"chat_id is empty|chat identifier", "gone"),
    (400, r"thread not found|topic_(closed|deleted)", "gone"),
    (400, r"deactivated|was kicked|was blocked|channel_private", "gone"),
    (400, r"not enough rights|no rights|write_forbidden|admin_required", "gone"),
    (400, r"need administrator rights|send_plain_forbidden|chat_restricted", "gone"),
    (0, r"", "rejected"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telegram:
    """
    Send each alert as one message of a bot.

    An address is a chat's id or public name, such as ``-1001234567890`` or
    ``@channel``, and after a colon the id of a thread of it, if it is a forum.

    Attributes:
        api: Where the Bot API is; one's own server is faster and has other limits.
        open: Anyone may subscribe in chat.
        tg_time: Show times in each reader's own zone (Bot API 10).
    """

    repeats: ClassVar[Repeats] = NOT_RECOGNISED

    name: str
    token: Secret
    api: str = "https://api.telegram.org"
    open: bool = False
    tg_time: bool = True
    pace: Pace = field(default=PACE, repr=False)

    async def send(self, message: Message, to: str, web: Web) -> str:
        """Deliver *message* as a new one; see `Sink.send`."""
        answer = await self._say("sendMessage", _address(to), message, web)
        return str(answer.get("message_id", ""))

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:
        """Change *message*; see `Sink.edit`."""
        if not message.isdecimal():
            raise Rejected("telegram: no message of ours has such an id")
        chat = {"chat_id": _address(to)["chat_id"], "message_id": int(message)}
        await self._say("editMessageText", chat, alert, web)

    async def check(self, web: Web) -> str:
        """Return what the bot is called."""
        me = await self._call("getMe", {}, web)
        return line(f"bot {me.get('username', '')} ({me.get('id', '')})")

    async def _say(
        self, method: str, where: Mapping[str, Any], message: Message, web: Web
    ) -> Mapping[str, Any]:
        """Say *message*, and once more without markup if the markup is refused."""
        where = {**where, "link_preview_options": {"is_disabled": True}}
        marked = {"text": self._html(message), "parse_mode": "HTML"}
        try:
            return await self._call(method, where | marked, web)
        except _Unreadable:
            bare = cut(still(_plain(message)), LIMIT)
            return await self._call(method, where | {"text": bare}, web)

    def _html(self, message: Message) -> str:
        if isinstance(message, Digest):
            return digest.html(message, tg_time=self.tg_time)
        return compose.html(message, tg_time=self.tg_time)

    async def _call(
        self, method: str, body: Mapping[str, Any], web: Web
    ) -> Mapping[str, Any]:
        """
        Call *method*, and return its result; empty if it is not an object.

        Raises:
            Transient, Rejected, Gone, Moved: as for `Sink.send`.
        """
        url = f"{self.api.rstrip('/')}/bot{self.token.reveal()}/{method}"
        try:
            status, answer = await web.post_json(url, body)
        except Rejected as refusal:  # of the address, which all messages go to
            raise Gone(f"telegram: {refusal}", everywhere=True) from None
        if not isinstance(answer, Mapping) or "ok" not in answer:
            # A proxy, a portal or a broken server: not the one who may refuse.
            raise Transient(f"telegram: {status} and no answer of the Bot API")
        if answer["ok"] is True and status == OK:
            result = answer.get("result")
            return result if isinstance(result, Mapping) else {}
        failure = _failure(status, answer)
        if failure is None:
            return {}
        raise failure


class _Unreadable(Rejected):
    """The message was refused for its markup or its length."""


def _plain(message: Message) -> str:
    if isinstance(message, Digest):
        return digest.plain(message, PLAIN_LENGTH)
    return compose.plain(message, PLAIN_LENGTH)


def _address(to: str) -> dict[str, str | int]:
    """
    Return the chat and the thread of *to* as the Bot API wants them.

    Raises:
        Gone: It is no address.
    """
    chat, _, thread = to.partition(":")
    if not re.fullmatch(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64}", chat):
        raise Gone("telegram: the address is neither a chat's id nor its @name")
    if not re.fullmatch(r"[0-9]{0,10}", thread):
        raise Gone("telegram: the thread of the address is no number")
    where: dict[str, str | int] = {"chat_id": chat if chat[0] == "@" else int(chat)}
    if thread and int(thread) != GENERAL:
        where["message_thread_id"] = int(thread)
    return where


def _failure(status: int, answer: Mapping[str, Any]) -> Failure | None:
    """Return what follows from a refusal; None if nothing has to."""
    code = answer.get("error_code")
    status = code if isinstance(code, int) and status == OK else status
    said = str(answer.get("description", ""))
    why = redact(f"telegram: {status} {cut(line(said), 200)}".rstrip())
    hints = answer.get("parameters")
    hints = hints if isinstance(hints, Mapping) else {}
    if chat := hints.get("migrate_to_chat_id"):
        return Moved(why, str(chat))
    return _followed(_action(status, said), why, _wait(hints, said))


def _action(status: int, said: str) -> Action:
    if not CLIENT_ERROR <= status < SERVER_ERROR:
        return "again"
    return next(
        action
        for code, words, action in REFUSALS
        if code in (0, status) and re.search(words, said, _ANY_CASE)
    )


def _followed(action: Action, why: str, wait: timedelta) -> Failure | None:
    followed: Mapping[Action, Failure] = {
        "plain": _Unreadable(why),
        "wait": Transient(
            why, wait, everywhere=True
        ),  # it stops all of the bot's chats
        "chat waits": Transient(why, wait),
        "again": Transient(why),
        "gone": Gone(why),
        "sink gone": Gone(f"{why}: the token is revoked or wrong", everywhere=True),
        "rejected": Rejected(why),
    }
    return followed.get(action)


def _wait(hints: Mapping[str, Any], said: str) -> timedelta:
    """Return how long we are asked to wait, kept within reason."""
    seconds = hints.get("retry_after")
    if not isinstance(seconds, int | float):
        found = re.search(
            r"(?:retry after |slow.?mode.?wait.?)(\d{1,6})", said, _ANY_CASE
        )
        seconds = int(found[1]) if found else USUAL_WAIT
    return timedelta(seconds=min(max(seconds, 1), LONGEST_WAIT))
