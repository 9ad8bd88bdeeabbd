"""
A mail server for demo and tests: takes every mail for everybody, and shows them on a page.

    python -m crm_billing.portal.mailcatcher --smtp-port 2525 --http-port 8025 --folder var/mail

Mails are kept as .eml files. `/` lists them, `/api/messages` says the same in JSON (newest first,
`?to=` keeps those for one address). Nothing is ever sent on.
"""

import argparse
import email
import email.policy
import html
import json
import os
import re
import signal
import tempfile
import threading
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from aiosmtpd.controller import Controller

KEPT = 1000
WORDS = {
    "en": {
        "title": "Mails",
        "hint": "Every mail the portal sends ends here; none leaves this machine.",
        "none": "No mail yet.",
        "from": "From",
        "to": "To",
        "date": "Date",
        "subject": "Subject",
        "files": "Attachments",
        "source": "Source",
    },
    "zh": {
        "title": "邮件",
        "hint": "系统发出的所有邮件都停在这里，不会真正寄出。",
        "none": "还没有邮件。",
        "from": "发件人",
        "to": "收件人",
        "date": "日期",
        "subject": "主题",
        "files": "附件",
        "source": "原文",
    },
}
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
a { color: LinkText; }
ul.mails { list-style: none; padding: 0; }
ul.mails li { border-top: 1px solid #8884; padding: .75rem 0; }
ul.mails a { font-weight: 600; }
small, dt { opacity: .75; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dd { margin: 0; }
pre { white-space: pre-wrap; border-top: 1px solid #8884; padding-top: 1rem; }
iframe { width: 100%; height: 45rem; border: 1px solid #8884; border-radius: .5rem;
         background: #fff; }
"""


class Mailbox:
    """A folder of .eml files whose names sort by arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._turn = threading.Lock()
        self._last = 0

    def add(self, content: bytes) -> str:
        """Store one mail and return its name; beyond the newest thousand the oldest go."""
        with self._turn:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            name = f"{self._last:017d}"
            handle, draft = tempfile.mkstemp(dir=self.folder)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(draft, self.folder / f"{name}.eml")
            for old in self.names()[KEPT:]:
                (self.folder / f"{old}.eml").unlink(missing_ok=True)
        return name

    def names(self) -> list[str]:
        """The newest first."""
        return sorted((path.stem for path in self.folder.glob("*.eml")), reverse=True)

    def source(self, name: str) -> bytes | None:
        if not re.fullmatch(r"\d{17}", name):
            return None
        try:
            return (self.folder / f"{name}.eml").read_bytes()
        except FileNotFoundError:
            return None

    def mail(self, name: str) -> EmailMessage | None:
        source = self.source(name)
        if source is None:
            return None
        return email.message_from_bytes(source, _class=EmailMessage, policy=email.policy.default)


class Receiver:
    """The side that speaks SMTP."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def handle_DATA(self, server, session, envelope) -> str:
        recipients = ", ".join(envelope.rcpt_tos)
        self.mailbox.add(f"X-Envelope-To: {recipients}\r\n".encode() + envelope.content)
        print(f"mail for {recipients}", flush=True)
        return "250 OK"


def text(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    return part.get_content() if part is not None else ""


def attachments(mail: EmailMessage) -> list[EmailMessage]:
    return [part for part in mail.iter_attachments() if isinstance(part, EmailMessage)]


def describe(name: str, mail: EmailMessage) -> dict:
    """One mail as the JSON list shows it."""
    return {
        "id": name,
        "from": str(mail["From"] or ""),
        "to": [entry.strip() for entry in str(mail["X-Envelope-To"] or "").split(",")],
        "subject": str(mail["Subject"] or ""),
        "date": str(mail["Date"] or ""),
        "message_id": str(mail["Message-ID"] or ""),
        "text": text(mail, "plain"),
        "html": text(mail, "html"),
        "attachments": [
            {
                "name": part.get_filename() or f"{position}",
                "type": part.get_content_type(),
                "size": len(part.get_payload(decode=True) or b""),
                "url": f"/m/{name}/part/{position}",
            }
            for position, part in enumerate(attachments(mail))
        ],
    }


@dataclass
class Answer:
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


NOTHING = Answer(404, "text/plain; charset=utf-8", b"404\n")


def answer(mailbox: Mailbox, target: str, language: str) -> Answer:
    """Answer a GET of `target`; `language` is "zh" or "en"."""
    url = urlsplit(target)
    words = WORDS[language]
    if url.path == "/":
        return Answer(body=_page(words["title"], _list(mailbox, words), language))
    if url.path == "/api/messages":
        wanted = parse_qs(url.query).get("to", [""])[0].lower()
        mails = [
            described
            for name in mailbox.names()
            if (mail := mailbox.mail(name)) is not None
            if (described := describe(name, mail))
            if not wanted or wanted in [address.lower() for address in described["to"]]
        ]
        body = json.dumps(mails, ensure_ascii=False).encode()
        return Answer(kind="application/json", body=body)
    match = re.fullmatch(r"/m/(\d{17})(?:/(html|source|part/(\d+)))?", url.path)
    mail = mailbox.mail(match[1]) if match else None
    if match is None or mail is None:
        return NOTHING
    if match[2] is None:
        return Answer(
            body=_page(str(mail["Subject"] or ""), _mail(match[1], mail, words), language)
        )
    if match[2] == "html":
        # A mail is a stranger's document: no script, no request, no origin of its own.
        policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        return Answer(body=text(mail, "html").encode(), headers={"Content-Security-Policy": policy})
    if match[2] == "source":
        return Answer(kind="text/plain; charset=utf-8", body=mailbox.source(match[1]) or b"")
    parts = attachments(mail)
    if int(match[3]) >= len(parts):
        return NOTHING
    part = parts[int(match[3])]
    file_name = quote(part.get_filename() or match[3])
    payload = part.get_payload(decode=True)
    return Answer(
        kind=part.get_content_type(),
        body=payload if isinstance(payload, bytes) else b"",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{file_name}"},
    )


def _page(title: str, content: str, language: str) -> bytes:
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>{content}</html>"
    ).encode()


def _list(mailbox: Mailbox, words: dict[str, str]) -> str:
    rows = []
    for name in mailbox.names():
        mail = mailbox.mail(name)
        if mail is None:
            continue
        told = describe(name, mail)
        clip = f" · {len(told['attachments'])} 📎" if told["attachments"] else ""
        rows.append(
            f'<li><a href="/m/{name}">{html.escape(told["subject"]) or "—"}</a><br>'
            f"<small>{html.escape(', '.join(told['to']))} · {html.escape(told['date'])}{clip}"
            "</small></li>"
        )
    mails = f'<ul class="mails">{"".join(rows)}</ul>' if rows else f"<p>{words['none']}</p>"
    return f"<h1>{words['title']}</h1><p><small>{words['hint']}</small></p>{mails}"


def _mail(name: str, mail: EmailMessage, words: dict[str, str]) -> str:
    told = describe(name, mail)
    facts = [
        (words["from"], html.escape(told["from"])),
        (words["to"], html.escape(", ".join(told["to"]))),
        (words["date"], html.escape(told["date"])),
    ]
    if told["attachments"]:
        links = ", ".join(
            f'<a href="{file["url"]}">{html.escape(file["name"])}</a> ({file["size"]:,} B)'
            for file in told["attachments"]
        )
        facts.append((words["files"], links))
    frame = f'<iframe sandbox src="/m/{name}/html" title="HTML"></iframe>' if told["html"] else ""
    return (
        f'<p><a href="/">← {words["title"]}</a> · <a href="/m/{name}/source">{words["source"]}</a>'
        f"</p><h1>{html.escape(told['subject'])}</h1>"
        f"<dl>{''.join(f'<dt>{label}</dt><dd>{value}</dd>' for label, value in facts)}</dl>"
        f"{frame}<pre>{html.escape(told['text'])}</pre>"
    )


class Page(BaseHTTPRequestHandler):
    """The side that speaks HTTP: read only."""

    mailbox: Mailbox
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        language = "zh" if self.headers.get("Accept-Language", "").startswith("zh") else "en"
        told = answer(self.mailbox, self.path, language)
        headers = {
            "Content-Type": told.kind,
            "Content-Length": str(len(told.body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": (
                "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'"
            ),
        } | told.headers
        self.send_response(told.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told.body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the reader of the page knows that he read it."""


class Catcher:
    """Both sides on one folder; used as a context manager by tests."""

    def __init__(self, *, host: str, smtp_port: int, http_port: int, folder: Path) -> None:
        self.mailbox = Mailbox(folder)
        self.smtp = Controller(
            Receiver(self.mailbox), hostname=host, port=smtp_port, data_size_limit=30_000_000
        )
        page = type("Page", (Page,), {"mailbox": self.mailbox})
        self.http = ThreadingHTTPServer((host, http_port), page)
        self.http.daemon_threads = True

    def __enter__(self) -> "Catcher":
        self.smtp.start()
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.smtp.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--smtp-port", type=int, default=2525)
    parser.add_argument("--http-port", type=int, default=8025)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    with Catcher(**vars(options)):
        signal.sigwait([signal.SIGTERM, signal.SIGINT])


if __name__ == "__main__":
    main()
