"""
A Bot API on loopback, which refuses what Telegram refuses.

    async with bot_api(token="123:abc") as api:
        await Telegram(name="chat", token=Secret("123:abc"), api=api.url).send(…)

    assert ["all clear"] == [message.text for message in api.log]

Chats are all open, unless they are blocked, unknown, moved or declared a forum.  A
queue of troubles makes the next requests hang, fail or lose their answers.
"""

import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.bothtml import Entity, Unreadable, read, touchable, units
from tests.loopback import Answer, Raw, Request, Response, json_response, serve

BOT = "123456:a-bot-of-tests"
LENGTH = 4096
TOO_MANY, FORBIDDEN, UNAUTHORIZED, NOT_FOUND, BAD = 429, 403, 401, 404, 400
EDITED = {"chat_id", "message_id", "text", "parse_mode", "link_preview_options"}
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are "
    "exactly the same as a current content and reply markup of the message"
)

Chat = int | str
Trouble = Literal[
    "hang",  # no answer, ever
    "drop",  # the connection ends, and nothing was done
    "lost answer",  # it was done, and the connection ends
    "500",
    "502",  # a proxy's page
    "portal",  # 200, and a page that is none of ours
    "not ok",  # 200, and ok is false
    "unparsable",  # it refuses any markup
    "none",  # for once, nothing
]


@dataclass(frozen=True, slots=True)
class Message:
    """A message as a reader has it, after it was sent or edited."""

    change: Literal["sent", "edited"]
    chat: Chat
    id: int
    text: str
    entities: tuple[Entity, ...]
    thread: int | None = None
    raw: str = ""
    at: float = 0.0

    def marked(self, kind: str) -> list[str]:
        """Return the stretches of the text that are of this *kind*."""
        wide = self.text.encode("utf-16-le")
        return [
            wide[2 * one.offset : 2 * (one.offset + one.length)].decode("utf-16-le")
            for one in self.entities
            if one.kind == kind
        ]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken, in messages, before a 429 stops the bot for a while."""

    per_chat: float = 1.0  # a second
    burst: int = 3
    group: int = 20  # a minute
    overall: int = 30  # a second
    ban: int = 5  # seconds


class Refused(Exception):
    """The server answers with an error."""

    def __init__(self, status: int, said: str, **hints: int) -> None:
        super().__init__(said)
        self.status, self.hints = status, hints


@dataclass(slots=True)
class BotApi:
    """
    The state of the server.

    Attributes:
        now: Monotonic seconds, by which the pace is judged.
        limits: The pace; None takes everything at once.
        log: What was sent and edited, in order.
        calls: Every call that was understood: the method and what it said.
        refusals: Every error that was answered: the status and the description.
        troubles: What goes wrong with the next requests, one each.
        blocked: Chats that threw the bot out.
        unknown: Chats that do not exist.
        moved: Groups that became supergroups, and what these are called.
        forums: Chats that have threads, and which.
    """

    token: str
    now: Callable[[], float] = time.monotonic
    limits: Limits | None = None
    url: str = ""
    log: list[Message] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    troubles: deque[Trouble] = field(default_factory=deque)
    blocked: set[Chat] = field(default_factory=set)
    unknown: set[Chat] = field(default_factory=set)
    moved: dict[Chat, int] = field(default_factory=dict)
    forums: dict[Chat, set[int]] = field(default_factory=dict)
    _current: dict[tuple[Chat, int], Message] = field(default_factory=dict)
    _taken: dict[Chat, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=1000))
    )
    _banned_until: float = 0.0
    _last_id: int = 100

    def chat(self, chat: Chat) -> list[str]:
        """Return what stands in *chat* now, oldest first."""
        return [one.text for (at, _), one in self._current.items() if at == chat]

    def forget(self, kept: int) -> None:
        """Drop all but the newest *kept* messages: nobody edits the others any more."""
        for key in list(self._current)[:-kept]:
            del self._current[key]

    async def answer(self, request: Request) -> Answer:
        """Answer one request, after the trouble that is due."""
        trouble = self.troubles.popleft() if self.troubles else "none"
        match trouble:
            case "hang":
                await asyncio.Event().wait()
            case "drop":
                return Raw(b"")
            case "500":
                return _error(500, "Internal Server Error")
            case "502" | "portal":
                status = 502 if trouble == "502" else 200
                page = "<html><body><h1>nginx</h1></body></html>"
                return Response(status, page, {"Content-Type": "text/html"})
            case "not ok":
                said = {"ok": False, "error_code": 500, "description": "restart"}
                return json_response(said)
        answer = self._answer(request, refuse_markup=trouble == "unparsable")
        return Raw(b"") if trouble == "lost answer" else answer

    def _answer(self, request: Request, *, refuse_markup: bool) -> Answer:
        try:
            method = self._method(request.path)
            body = json.loads(request.body or b"{}")
            self.calls.append((method, body))
            if refuse_markup:
                _refuse_markup(body)
            return json_response({"ok": True, "result": self._do(method, body)})
        except Refused as refusal:
            self.refusals.append((refusal.status, str(refusal)))
            return _error(refusal.status, str(refusal), **refusal.hints)

    def _method(self, path: str) -> str:
        _, bot, method, *rest = [*path.split("/"), "", ""]
        if not bot.startswith("bot") or ":" not in bot or any(rest):
            raise Refused(NOT_FOUND, "Not Found")
        if bot != f"bot{self.token}":
            raise Refused(UNAUTHORIZED, "Unauthorized")
        return method

    def _do(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "getMe":
                return {"id": 123, "is_bot": True, "username": "monitor_test_bot"}
            case "sendMessage":
                message = self._send(body)
            case "editMessageText":
                message = self._edit(body)
            case _:
                raise Refused(NOT_FOUND, "Not Found: method not found")
        self._current[message.chat, message.id] = message
        self.log.append(message)
        return {
            "message_id": message.id,
            "chat": {"id": message.chat},
            "date": 1_684_908_720,
            "text": message.text,
        }

    def _send(self, body: dict[str, Any]) -> Message:
        chat = self._reach(body)
        thread = body.get("message_thread_id")
        if thread is not None and thread not in self.forums.get(chat, set()):
            raise Refused(BAD, "message thread not found")
        text, entities = _content(body)
        self._pace(chat)
        self._last_id += 1
        return Message(
            "sent", chat, self._last_id, text, entities, thread, body["text"],
            self.now(),
        )  # fmt: skip

    def _edit(self, body: dict[str, Any]) -> Message:
        chat = self._reach(body)
        if (
            unknown := body.keys() - EDITED
        ):  # the server ignores it; we mean nothing by it
            raise Refused(BAD, f"no parameter of an edit: {', '.join(unknown)}")
        before = self._current.get((chat, body["message_id"]))
        if before is None:
            raise Refused(BAD, "message to edit not found")
        text, entities = _content(body)
        if (text, entities) == (before.text, before.entities):
            raise Refused(BAD, NOT_MODIFIED)
        self._pace(chat)
        return Message(
            "edited", chat, before.id, text, entities, before.thread, body["text"],
            self.now(),
        )  # fmt: skip

    def _reach(self, body: dict[str, Any]) -> Chat:
        chat: Chat = body.get("chat_id", "")
        if not chat:
            raise Refused(BAD, "chat_id is empty")
        if chat in self.moved:
            said = "group chat was upgraded to a supergroup chat"
            raise Refused(BAD, said, migrate_to_chat_id=self.moved[chat])
        if chat in self.unknown:
            raise Refused(BAD, "chat not found")
        if chat in self.blocked:
            raise Refused(FORBIDDEN, "bot was blocked by the user")
        return chat

    def _pace(self, chat: Chat) -> None:
        """Count a message, or stop the whole bot: that is what a 429 does."""
        if self.limits is None:
            return
        now, limits = self.now(), self.limits
        if now < self._banned_until:
            self._refuse_pace(now)
        group = isinstance(chat, int) and chat < 0
        self._taken[chat].append(now)
        self._taken["overall"].append(now)
        window = limits.burst / limits.per_chat
        if (
            _within(self._taken[chat], now, window) > limits.burst
            or (group and _within(self._taken[chat], now, 60) > limits.group)
            or _within(self._taken["overall"], now, 1) > limits.overall
        ):
            self._banned_until = now + limits.ban
            self._refuse_pace(now)

    def _refuse_pace(self, now: float) -> None:
        seconds = max(1, round(self._banned_until - now))
        said = f"Too Many Requests: retry after {seconds}"
        raise Refused(TOO_MANY, said, retry_after=seconds)


@asynccontextmanager
async def bot_api(
    token: str = BOT,
    *,
    now: Callable[[], float] = time.monotonic,
    limits: Limits | None = None,
) -> AsyncIterator[BotApi]:
    """Run a Bot API while the block runs."""
    api = BotApi(token, now, limits)
    async with serve(api.answer) as server:
        api.url = server.url
        yield api


def _refuse_markup(body: dict[str, Any]) -> None:
    if "parse_mode" in body:
        raise Refused(BAD, 'can\'t parse entities: Unsupported start tag "tg-time"')


def _content(body: dict[str, Any]) -> tuple[str, tuple[Entity, ...]]:
    """Return the text that is left, and its entities; see `bothtml.read`."""
    raw = body.get("text", "")
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise Refused(BAD, "strings must be encoded in UTF-8") from None
    try:
        found = read(raw) if body.get("parse_mode") == "HTML" else _bare(raw)
    except Unreadable as error:
        raise Refused(BAD, f"can't parse entities: {error}") from None
    text, entities = found
    if not text.strip():
        raise Refused(BAD, "message text is empty")
    if units(text) > LENGTH:
        raise Refused(BAD, "message is too long")
    return text, entities


def _bare(text: str) -> tuple[str, tuple[Entity, ...]]:
    return text, tuple(touchable(text, []))


def _within(taken: deque[float], now: float, span: float) -> int:
    return sum(1 for moment in taken if now - moment < span)


def _error(status: int, said: str, **hints: int) -> Response:
    named = {BAD: "Bad Request: ", FORBIDDEN: "Forbidden: "}.get(status, "")
    body: dict[str, Any] = {
        "ok": False,
        "error_code": status,
        "description": f"{named}{said}",
    }
    return json_response(body | ({"parameters": hints} if hints else {}), status)
