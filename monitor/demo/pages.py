"""
Pages of the demonstration: what Telegram's public preview and a feed look like.

The markup is that of t.me in 2023 to 2026 as far as a reader of it depends on it:
classes, nesting, attributes.  The templates are our own, and every page says that it
is a reconstruction.
"""

import base64
import json
import re
from collections.abc import Iterable, Sequence
from email.utils import format_datetime
from html import escape
from urllib.parse import quote

from monitor.demo import Channel, Feed, Post, holding

PAGE = 20  # messages a page has, each part of an album counted
LABEL = "реконструкция · reconstruction"
EMOJI = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]\ufe0f?")
CUSTOM = re.compile("[\U0001f300-\U0001faff]")  # ours stand for Telegram's custom ones
HASHTAG = re.compile(r"(?<!\w)#(\w+)")


def history(
    channel: Channel,
    posts: Sequence[Post],
    *,
    base: str,
    before: int | None = None,
    after: int | None = None,
) -> str:
    """
    Return the page ``/s/<channel>``: its newest posts, or those next to an id.

    Args:
        posts: All that stand now, in the order of their ids.
        base: Address of this server, without a slash at its end.
        before: Show the newest posts below this id.
        after: Show the oldest posts above it.
    """
    if after is not None:
        shown = _first([post for post in posts if post.id > after])
    else:
        below = [post for post in posts if before is None or post.id < before]
        shown = _first(below[::-1])[::-1]
    older = bool(shown) and shown[0].id > posts[0].id
    newer = bool(shown) and shown[-1].id < posts[-1].id
    path = f"/s/{channel.name}"
    links = ""
    more = ""
    if older:
        at = shown[0].id
        links += f'<link rel="prev" href="{path}?before={at}">'
        more = f"""<a href="{path}?before={at}" \
class="tme_messages_more js-messages_more" data-before="{at}"></a>"""
    if newer:
        at = shown[-1].id
        links += f'<link rel="next" href="{path}?after={at}">'
    blocks = "\n".join(
        block(channel, post, base, _quoted(post, posts)) for post in shown
    )
    none = '<div class="tme_no_messages_found">No posts found</div>'
    links += f'<link rel="canonical" href="{path}">'
    return _document(
        f"{channel.title} – Telegram",
        f"""{_header(channel)}
<main class="tgme_main" data-url="/{channel.name}"><div class="tgme_container">
<section class="tgme_channel_history js-message_history">
{more}{blocks or none}
</section></div></main>""",
        links,
    )


def embed(channel: Channel, posts: Sequence[Post], id_: int, base: str) -> str:
    """Return the page of the post that has this id, or the one that says none has."""
    post = holding(id_, posts)
    if post is None:
        return _document(channel.title, _error("Post not found"))
    return _document(channel.title, block(channel, post, base, _quoted(post, posts)))


def nowhere(name: str) -> str:
    """Return the page of a post whose channel does not exist."""
    return _document(LABEL, _error(f"Channel with username <b>{name}</b> not found"))


def landing(name: str, channel: Channel | None = None) -> str:
    """Return the page ``/<name>``, which an unknown name has as well."""
    if channel is None:
        inner = f"""<div class="tgme_page_description">You can contact \
<a href="https://t.me/{name}">@{name}</a> right away.</div>"""
        return _document(LABEL, inner)
    return _document(
        channel.title,
        f"""<div class="tgme_page_title"><span dir="auto">{escape(channel.title)}</span>
</div><div class="tgme_page_extra">1 024 subscribers</div>
<div class="tgme_page_description">{escape(channel.description)}</div>
<a class="tgme_page_context_link" href="/s/{channel.name}">Preview channel</a>""",
    )


def block(channel: Channel, post: Post, base: str, quoted: str = "") -> str:
    """Return one post, as a channel's page has it; *quoted* is what it answers."""
    name = f"{channel.name}/{post.id}"
    kind = "service_message" if post.service else "text_not_supported_wrap"
    return f"""\
<div class="tgme_widget_message_wrap js-widget_message_wrap">
<div class="tgme_widget_message {kind} js-widget_message" data-post="{name}" \
data-view="{_view(channel, post)}">
<div class="tgme_widget_message_user"><a href="https://t.me/{channel.name}">\
<i class="tgme_widget_message_user_photo bgcolor4" data-content="Р"></i></a></div>
<div class="tgme_widget_message_bubble">
<div class="tgme_widget_message_author accent_color">\
<a class="tgme_widget_message_owner_name" href="https://t.me/{channel.name}">\
<span dir="auto">{escape(channel.title)}</span></a></div>
{_forwarded(post)}{_reply(channel, post, quoted)}\
{_media(channel, post, base)}{_text(post)}
<div class="tgme_widget_message_footer compact js-message_footer">
<div class="tgme_widget_message_info short js-message_info">
<span class="tgme_widget_message_views">1.2K</span>\
<span class="copyonly"> views</span>\
<span class="tgme_widget_message_meta">{"edited &nbsp;" if post.edited else ""}\
<a class="tgme_widget_message_date" href="https://t.me/{name}">\
<time datetime="{post.published.isoformat()}" class="time">{post.published:%H:%M}\
</time></a></span>
</div></div>
</div></div></div>"""


def rss(feed: Feed, posts: Iterable[Post], base: str) -> str:
    """Return the feed, newest entry first."""
    newest_first = sorted(posts, key=lambda post: (post.published, post.id))[::-1]
    entries = "\n".join(
        f"""<item>
<title>{escape(post.title)}</title>
<link>{base}/story/{post.id}</link>
<guid isPermaLink="false">{feed.name}-{post.id}</guid>
<pubDate>{format_datetime(post.published)}</pubDate>
<description>{escape(post.text)}</description>
</item>"""
        for post in newest_first
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel>
<title>{escape(feed.title)}</title>
<link>{base}/</link>
<description>{escape(feed.description)}</description>
{entries}
</channel></rss>
"""


def story(feed: Feed, post: Post) -> str:
    """Return the page that an entry of the feed links."""
    return _document(
        feed.title,
        f"<article><h1>{escape(post.title)}</h1><p>{_rich(post.text)}</p></article>",
    )


def index(channels: Sequence[Channel], feed: Feed) -> str:
    """Return the page that lists what there is to read."""
    rows = "".join(
        f'<li><a href="/s/{channel.name}">{escape(channel.title)}</a></li>'
        for channel in channels
    )
    link = f'<li><a href="/feed.xml">{escape(feed.title)}</a></li>'
    return _document(LABEL, f"<ul>{rows}{link}</ul>")


def _first(posts: Sequence[Post]) -> list[Post]:
    """Return as many of the first posts as a page has room for, at least one."""
    room = PAGE
    shown: list[Post] = []
    for post in posts:
        room -= len(post.ids)
        if shown and room < 0:
            break
        shown.append(post)
    return shown


def _document(title: str, body: str, head: str = "") -> str:
    shown = escape(title)
    return f"""<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{shown} ({LABEL})</title>
<meta property="og:title" content="{shown}">{head}</head>
<body class="widget_frame_base tgme_widget">
<p class="demo_label">{LABEL}</p>
{body}
</body></html>
"""


def _header(channel: Channel) -> str:
    return f"""<header class="tgme_header"><div class="tgme_container">
<div class="tgme_channel_info">
<div class="tgme_channel_info_header_title"><span dir="auto">{escape(channel.title)}\
</span></div>
<div class="tgme_channel_info_header_username">\
<a href="https://t.me/{channel.name}">@{channel.name}</a></div>
<div class="tgme_channel_info_counters"><div class="tgme_channel_info_counter">\
<span class="counter_value">1.02K</span> <span class="counter_type">subscribers</span>\
</div></div>
<div class="tgme_channel_info_description">{escape(channel.description)}</div>
</div></div></header>"""


def _error(why: str) -> str:
    return f'<div class="tgme_widget_message_error">{why}</div>'


def _view(channel: Channel, post: Post) -> str:
    """Return the token in which t.me tells a channel's number."""
    seconds = int(post.changed.timestamp())
    token = {"c": -channel.number, "p": post.id, "t": seconds, "h": f"{seconds:018x}"}
    packed = json.dumps(token, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _quoted(post: Post, posts: Iterable[Post]) -> str:
    answered = holding(post.reply_to, posts)
    return answered.text if answered else ""


def _forwarded(post: Post) -> str:
    if not post.forward:
        return ""
    return f"""<div class="tgme_widget_message_forwarded_from accent_color">\
Forwarded from&nbsp;<a class="tgme_widget_message_forwarded_from_name" \
href="https://t.me/{post.forward}"><span dir="auto">{post.forward}</span></a></div>"""


def _reply(channel: Channel, post: Post, quoted: str) -> str:
    """Return what a post answers, in which t.me uses the class of the text."""
    if not post.reply_to:
        return ""
    return f"""<a class="tgme_widget_message_reply" \
href="https://t.me/{channel.name}/{post.reply_to}">\
<div class="tgme_widget_message_author accent_color">\
<span class="tgme_widget_message_author_name">{escape(channel.title)}</span></div>\
<div class="tgme_widget_message_text js-message_reply_text" dir="auto">\
{_rich(quoted)}</div></a>"""


def _text(post: Post) -> str:
    if not post.text:
        return ""
    start = '<div class="tgme_widget_message_text js-message_text'
    inner = f'{start}" dir="auto">{_rich(post.text)}</div>'
    if CUSTOM.search(post.text):
        inner = _supported(inner)
    if len(post.ids) == 1:
        return inner
    return f"""{start} before_footer" dir="auto">{inner}\
<span style="display: inline-block; width: 97px;"></span></div>"""  # as t.me nests it


def _supported(inner: str) -> str:
    """Return a text as t.me wraps it since 2026 when it has custom emoji."""
    return f"""<div class="media_supported_cont">{inner}</div>\
<div class="media_not_supported_cont"><div class="message_media_not_supported_wrap">\
<div class="message_media_not_supported">\
<div class="message_media_not_supported_label">Please open Telegram to view this post\
</div></div></div></div>"""


def _rich(text: str) -> str:
    html = escape(text, quote=False).replace("\n", "<br/>")
    html = EMOJI.sub(
        lambda found: (
            f'<i class="emoji" style="background-image:url(\'/e.png\')">'
            f"<b>{found[0]}</b></i>"
        ),
        html,
    )
    return HASHTAG.sub(
        lambda found: f'<a href="?q={quote(found[0])}">{found[0]}</a>', html
    )


def _media(channel: Channel, post: Post, base: str) -> str:
    parts = [
        _photo(f"{channel.name}/{id_}", base, "?single" if len(post.ids) > 1 else "")
        for id_, _ in zip(post.ids, post.media, strict=False)
    ]
    if len(parts) < 2:  # noqa: PLR2004 - fewer are no album
        return "".join(parts)
    return f"""<div class="tgme_widget_message_grouped_wrap js-message_grouped_wrap">\
<div class="tgme_widget_message_grouped js-message_grouped">\
<div class="tgme_widget_message_grouped_layer js-message_grouped_layer">
{"".join(parts)}
</div></div></div>"""


def _photo(name: str, base: str, single: str) -> str:
    grouped = " grouped_media_wrap blured js-message_photo" if single else ""
    return f"""<a class="tgme_widget_message_photo_wrap{grouped}" \
style="width:437px;background-image:url('{base}/photo/{name}.jpg')" \
href="https://t.me/{name}{single}"><div class="tgme_widget_message_photo"></div></a>"""
