"""The HTTP view of the sink: newest first, everything escaped, read from the journal on demand.

GET /                        a page of mails (`?before=N` goes further back)
GET /messages/{n}            one mail, readable
GET /messages.json?limit=    the newest mails as JSON, at most 1,000; `count` is how many there are in all"""

from __future__ import annotations

import json
import os
from array import array
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from simulators.mail.record import ReceivedMail, received_mail
from simulators.web import BadRequestError

PAGE_MAILS = 50
LIMIT_MAX = 1_000
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

_PAGES = {
    "frame": """<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{% block title %}{% endblock %}</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/style.css"></head>
<body><main>{% block main %}{% endblock %}</main></body></html>""",
    "list": """{% extends "frame" %}{% block title %}Mail sink{% endblock %}{% block main %}
<h1>Mail sink</h1><p>{{ count }} mails received, newest first.</p>
<table><thead><tr><th scope="col">No.</th><th scope="col">Received</th><th scope="col">To</th>
<th scope="col">Subject</th></tr></thead><tbody>
{% for mail in mails %}<tr><td><a href="/messages/{{ mail.number }}">{{ mail.number }}</a></td>
<td>{{ mail.received_at }}</td><td>{{ mail.rcpt_to | join(", ") }}</td><td>{{ mail.subject }}</td></tr>
{% else %}<tr><td colspan="4">No mail yet.</td></tr>{% endfor %}</tbody></table>
{% if older %}<p><a href="/?before={{ older }}">Older mails</a></p>{% endif %}{% endblock %}""",
    "mail": """{% extends "frame" %}{% block title %}{{ mail.subject }}{% endblock %}{% block main %}
<p><a href="/">All mails</a></p><h1>{{ mail.subject or "(no subject)" }}</h1>
<dl><dt>Received</dt><dd>{{ mail.received_at }}</dd><dt>Envelope</dt>
<dd>{{ mail.mail_from }} to {{ mail.rcpt_to | join(", ") }}</dd>
{% for name, value in mail.headers.items() %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
<pre>{{ mail.body }}</pre>{% endblock %}""",
}
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1b1b1b;background:#fff}main{max-width:70rem;
margin:auto;padding:1rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid
#ccc;vertical-align:top}dt{font-weight:600}dd{margin:0 0 .4rem;overflow-wrap:anywhere}pre{white-space:pre-wrap;
background:#f4f4f4;padding:1rem}"""


class MailView:
    """Pages over one journal file. Knows where each line starts and reads the rest when asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ends = array("Q")
        self._pages = Environment(loader=DictLoader(_PAGES), autoescape=True, undefined=StrictUndefined)

    def routes(self) -> list[Route]:
        """Every route of the view."""
        return [
            Route("/", self.page),
            Route("/messages.json", self.newest),
            Route("/messages/{number:int}", self.one),
            Route("/style.css", self.style),
        ]

    async def page(self, request: Request) -> Response:
        """GET /: a page of mails, newest first."""
        count = self._count()
        before = _whole_number(request, "before", count + 1, count + 1)
        mails = self._mails(before - 1, PAGE_MAILS)
        older = mails[-1].number if mails and mails[-1].number > 1 else None
        return self._html("list", count=count, mails=mails, older=older)

    async def one(self, request: Request) -> Response:
        """GET /messages/{n}: one mail."""
        number = request.path_params["number"]
        if not 1 <= number <= self._count():
            raise BadRequestError(404, "no mail has this number")
        return self._html("mail", mail=self._mails(number, 1)[0])

    async def newest(self, request: Request) -> Response:
        """GET /messages.json: the newest mails."""
        count = self._count()
        mails = self._mails(count, _whole_number(request, "limit", PAGE_MAILS, LIMIT_MAX))
        return JSONResponse({"count": count, "messages": [_json(mail) for mail in mails]}, headers=SECURITY_HEADERS)

    async def style(self, request: Request) -> Response:
        """GET /style.css."""
        return Response(_STYLE, media_type="text/css", headers=SECURITY_HEADERS)

    def _html(self, name: str, **values: Any) -> HTMLResponse:
        return HTMLResponse(self._pages.get_template(name).render(**values), headers=SECURITY_HEADERS)

    def _count(self) -> int:
        """Take up the lines that came since the last look; how many there are."""
        with self._path.open("rb") as source:
            source.seek(self._ends[-1] if self._ends else 0)
            for line in source:
                if not line.endswith(b"\n"):
                    break
                self._ends.append((self._ends[-1] if self._ends else 0) + len(line))
        return len(self._ends)

    def _mails(self, newest: int, limit: int) -> list[ReceivedMail]:
        """Up to `limit` mails from number `newest` downwards."""
        oldest = max(1, newest - limit + 1)
        if newest < oldest:
            return []
        start = self._ends[oldest - 2] if oldest > 1 else 0
        with self._path.open("rb") as source:
            lines = os.pread(source.fileno(), self._ends[newest - 1] - start, start).splitlines()
        mails = [received_mail(oldest + place, json.loads(line)) for place, line in enumerate(lines)]
        return mails[::-1]


def _json(mail: ReceivedMail) -> dict[str, Any]:
    return {
        "number": mail.number,
        "received_at": mail.received_at,
        "from": mail.mail_from,
        "to": list(mail.rcpt_to),
        "message_id": mail.message_id,
        "subject": mail.subject,
        "headers": mail.headers,
        "body": mail.body,
    }


def _whole_number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) == 0:
        raise BadRequestError(422, f"{name} must be a whole number from 1")
    return min(int(text), most)
