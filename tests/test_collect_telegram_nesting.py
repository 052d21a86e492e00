"""What a page may cost is told before it is parsed."""

import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from monitor.collect.telegram_nesting import refuse_excess
from monitor.errors import Rejected
from tests.channel import Channel, text

# Each opens a style, and seems to close it; `%d` keeps one from being like another.
LEFT_OPEN = [
    "<b a=%d>",
    "<B a=%d></b x",
    "<B A=%d>",
    "<b a=%d><!--</b>-->",
    "<b a=%d><!--></b a='-->'>",
    "<b a=%d><!</b>",
    "<b a=%d><?</b>",
    "<b a=%d></ </b>",
    '<b a="%d</b>">',
    "<b a='%d</b>'>",
    "<b a = '%d</b>' c>",
    "<b a=%d><i title='</b>'></i>",
    "<b a=%d><select></b></select>",
    "<b a=%d><select><title></select></b></title></select>",
    "<b a=%d><object></b></object>",
    "<b a=%d><title></b></title>",
    "<b a=%d><textarea><!--</textarea>",
    "<b a=%d><script><!--<script></script></b>--></script>",
    "<b a=%d><svg><![CDATA[></svg></b>]]></svg>",
    "<b a=%d><svg><style><!--</style></svg></b>--></style></svg>",
    "<div><b a=%d></div>",
    "<p><b a=%d></p>",
    '<!--><b a=%d c="><b a=%d>',
    '<b a=%d c"><i d=">"></i>',
    '<b ="a=%d></b>"><br>',
]


PARTS = [
    *["<b a=%d>", "</b>", "<I a=%d>", "</i>", "<a href='", '<a href="', "</a>"],
    *["<p>", "</p>", "<div>", "</div>", "<td>", "<table>", "</table>", "<br", "<desc>"],
    *["<!--", "-->", "<!", "<!-->", "<![CDATA[", "]]>", ">", "/>", '"', "'", "="],
    *["<svg>", "</svg>", "<title>", "</title>", "<style>", "</style>", "<template>"],
    *["<select>", "</select>", "<object>", "</object>", "<script>", "</script>"],
]


def page(left_open: str, paragraphs: int = 600) -> bytes:
    opened = "".join(left_open.replace("%d", str(n)) for n in range(300))
    return (opened + "<p>x</p>" * paragraphs).encode()


def elements(body: bytes) -> int:
    return len(LexborHTMLParser(body).css("*"))


@pytest.mark.parametrize("left_open", LEFT_OPEN)
def test_no_disguise_makes_a_small_page_large(left_open: str) -> None:
    """A page is refused, or has not many more elements than it has tags."""
    body = page(left_open)
    try:
        refuse_excess(body)
    except Rejected:
        return
    assert elements(body) < 50_000


@example(["<b a=%d>"])
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(PARTS),
        min_size=2,
        max_size=8,
    )
)
def test_whatever_tags_are_made_of_they_are_counted(parts: list[str]) -> None:
    """What is read has not many more elements than it has tags, however strange."""
    body = page("".join(parts), paragraphs=300)
    try:
        refuse_excess(body)
    except Rejected:
        return
    assert elements(body) < 50_000


@pytest.mark.parametrize(
    "inside",
    [
        "<!-- <b><i><a><div> -->",
        '<a title="<b><i><div>">x</a>',
        "<I><B>x</b></I>",
        "<ul><li>x<li>y</ul>",
        "<svg><path d='M0'/><g><rect></svg>",
        "<a><img src=x><br><video><source></video></a>",
        "<style>i > b {}</style>",
        "<b><p>x</b>",
    ],
)
def test_what_is_usual_is_not_refused(inside: str) -> None:
    """A page of twenty posts with a few of anything is read."""
    posts = {n: text(inside) for n in range(1, 21)}
    refuse_excess(Channel(posts=posts).page().encode())


@pytest.mark.parametrize(
    "part",
    [
        "<b",
        "<!--",
        "<b a=",
        '<b a="',
        "<b a='\"",
        "<b a  ",
        "<title>",
        "<",
        "</",
        "=<a ",
    ],
)
def test_the_scan_takes_no_longer_than_the_page_is_long(part: str) -> None:
    """Two mebibytes of anything are judged in a moment."""
    body = (part * (2_000_000 // len(part))).encode()
    began = time.process_time()
    with suppress(Rejected):
        refuse_excess(body)
    assert time.process_time() - began < 5  # were it quadratic, minutes
