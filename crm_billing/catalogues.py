"""
The Chinese catalogue, kept and compiled without GNU gettext.

Msgids are English, so English needs no catalogue. What Django's own apps and allauth translate
already is theirs to keep; strings they left out, and apps without a Chinese catalogue (unfold),
are ours to fill in.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django import conf
from django.apps import AppConfig, apps
from django.conf import settings
from django.utils.translation.template import templatize

LOCALE = "zh_Hans"
TEMPLATE_SUFFIXES = {".html", ".txt", ".svg", ".xml"}
# What the arguments of each function are.
FUNCTIONS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), ("msgid",)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), ("msgid", "plural")),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ("context", "msgid")),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ("context", "msgid", "plural")),
}
HEADER = """\
# Chinese (Simplified). Written by `manage.py messages`; translate the empty lines.
msgid ""
msgstr ""
"Language: zh_Hans\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""
# The same strings must give the same bytes, whenever they are compiled.
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)

_PLACEHOLDER = re.compile(r"%%|%\([^)]*\)[a-z]|%[-#0-9.]*[a-z]|\{[^{}]*\}|</?\w+")

# A call in what `templatize` makes of a template: one line each, between crossed-out text.
_LITERAL = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_CALL = re.compile(rf"(?<!\w)(?:_|n?p?gettext)\({_LITERAL}(?:, *{_LITERAL})*(?:, *\w+)?\)")

Key = tuple[str, str]  # context or "", msgid


@dataclass(slots=True)
class Source:
    """
    A string people see: its plural if it has one, and the files it stands in.
    """

    plural: str = ""
    files: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Merged:
    """
    What a merge found: strings still empty, fragments nobody asked for, and disagreements.
    """

    missing: list[Key]
    unused: list[str]
    conflicts: list[str]


def po_path() -> Path:
    return Path(settings.LOCALE_PATHS[0]) / LOCALE / "LC_MESSAGES" / "django.po"


def wanted() -> dict[Key, Source]:
    """
    Return every string our catalogue has to hold.
    """
    strings: dict[Key, Source] = {}
    for path in _our_files():
        _collect(path, Path(settings.BASE_DIR), strings)
    borrowed: dict[Key, Source] = {}
    for config in _foreign_apps():
        for path in _files_under(Path(config.path)):
            _collect(path, Path(config.path).parent, borrowed)
    covered = installed_translations()
    for key, source in borrowed.items():
        if key in strings or key not in covered:
            ours = strings.setdefault(key, Source())
            ours.plural = ours.plural or source.plural
            ours.files |= source.files
    return strings


def installed_translations() -> dict[Key, Message]:
    """
    Return what Django and the installed apps translate themselves.
    """
    folders = [Path(conf.__file__).parent, *(Path(config.path) for config in _foreign_apps())]
    translated: dict[Key, Message] = {}
    for folder in folders:
        path = folder / "locale" / LOCALE / "LC_MESSAGES" / "django.mo"
        if path.exists():
            with path.open("rb") as file:
                for message in read_mo(file):
                    if message.id and _is_translated(message):
                        translated.setdefault(_key(message), message)
    return translated


def read(path: Path) -> Catalog:
    """
    Read a .po file or a fragment of one; a file that does not exist is empty.
    """
    if not path.exists():
        return Catalog(locale=LOCALE)
    with path.open("rb") as file:
        return read_po(file, locale=LOCALE, charset="utf-8")


def update(fragments: Iterable[Path] = ()) -> Merged:
    """
    Bring the catalogue up to date with the code and compile it.

    Keeps translations, takes new ones from `fragments` (they win over old ones) and then from
    the installed apps, leaves the rest empty and drops what no file uses. Nothing is guessed.
    """
    strings, old, theirs = wanted(), read(po_path()), installed_translations()
    known = {_key(message): message for message in old if message.id and not message.fuzzy}
    offered, unused, conflicts = _offers(fragments, strings)
    catalog, missing = Catalog(locale=LOCALE), []
    for key, source in sorted(strings.items()):
        candidates = (offered.get(key), known.get(key), theirs.get(key))
        text = next((text for message in candidates if (text := _text(message))), "")
        if not text:
            missing.append(key)
        context, msgid = key
        catalog.add(
            (msgid, source.plural) if source.plural else msgid,
            (text,) if source.plural else text,
            context=context or None,
        )
    _write(catalog)
    return Merged(missing=missing, unused=unused, conflicts=conflicts)


def problems() -> list[str]:
    """
    Say, one line each, what keeps the committed catalogue from being complete and compiled.
    """
    return [*_problems(wanted(), read(po_path())), *_compiled_problems(po_path())]


def compiled(catalog: Catalog) -> bytes:
    """
    Return the .mo of a catalogue; equal catalogues give equal bytes.
    """
    catalog.creation_date = catalog.revision_date = NO_DATE
    buffer = BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def fragment(keys: Iterable[Key]) -> str:
    """
    Write strings as an empty fragment to fill in.
    """
    strings, catalog = wanted(), Catalog(locale=LOCALE)
    for key in keys:
        source = strings[key]
        catalog.add(
            (key[1], source.plural) if source.plural else key[1],
            context=key[0] or None,
            auto_comments=sorted(source.files),
        )
    return _po(catalog)


def _problems(strings: dict[Key, Source], catalog: Catalog) -> Iterator[str]:
    messages = {_key(message): message for message in catalog if message.id}
    for key, source in sorted(strings.items()):
        message = messages.get(key)
        if message is None or not _text(message):
            yield f"untranslated: {key[1]!r} ({', '.join(sorted(source.files))})"
        elif bool(source.plural) != message.pluralizable:
            yield f"plural differs: {key[1]!r}"
        else:
            yield from _wording_problems(message)
    yield from (f"obsolete: {key[1]!r}" for key in sorted(messages.keys() - strings.keys()))
    yield from (f"obsolete: {_key(message)[1]!r}" for message in catalog.obsolete.values())


def _wording_problems(message: Message) -> Iterator[str]:
    original = message.id if isinstance(message.id, str) else message.id[-1]
    if message.fuzzy:
        yield f"fuzzy: {original!r}"
    if _placeholders(original) != _placeholders(_text(message)):
        yield f"placeholders differ: {original!r} and {_text(message)!r}"
    if _edges(original) != _edges(_text(message)):
        yield f"line breaks around differ: {original!r} and {_text(message)!r}"


def _compiled_problems(path: Path) -> Iterator[str]:
    binary = path.with_suffix(".mo")
    if not binary.exists() or binary.read_bytes() != compiled(read(path)):
        yield f"{binary.name} is not what {path.name} compiles to: run manage.py messages"


def _offers(
    fragments: Iterable[Path], strings: dict[Key, Source]
) -> tuple[dict[Key, Message], list[str], list[str]]:
    offered: dict[Key, Message] = {}
    unused, conflicts = [], []
    for path in fragments:
        if not path.exists():
            raise FileNotFoundError(path)
        for message in read(path):
            if not message.id or not _text(message):
                continue
            key = _key(message)
            if key not in strings:
                unused.append(f"{path.name}: {key[1]!r}")
            elif key in offered and _text(offered[key]) != _text(message):
                both = f"{_text(offered[key])!r} and {_text(message)!r}"
                conflicts.append(f"{path.name}: {key[1]!r} is {both}")
            offered.setdefault(key, message)
    return offered, unused, conflicts


def _write(catalog: Catalog) -> None:
    path = po_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + _po(catalog), encoding="utf-8")
    path.with_suffix(".mo").write_bytes(compiled(read(path)))


def _po(catalog: Catalog) -> str:
    buffer = BytesIO()
    write_po(buffer, catalog, width=0, no_location=True, omit_header=True, sort_output=True)
    return buffer.getvalue().decode("utf-8")


def _our_files() -> Iterator[Path]:
    base = Path(settings.BASE_DIR)
    for config in apps.get_app_configs():
        if _is_ours(config):
            yield from _files_under(Path(config.path))
    yield from _files_under(base / "templates")


def _is_ours(config: AppConfig) -> bool:
    parent = Path(config.path).parent
    return parent == Path(settings.BASE_DIR)


def _foreign_apps() -> list[AppConfig]:
    return [config for config in apps.get_app_configs() if not _is_ours(config)]


def _files_under(folder: Path) -> Iterator[Path]:
    """
    Yield the Python files and templates of one app; apps inside it are visited on their own.
    """
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            is_app = (path / "apps.py").exists() or path.name in ("contrib", "migrations", "locale")
            if not is_app:
                yield from _files_under(path)
        elif path.suffix == ".py" or (
            path.suffix in TEMPLATE_SUFFIXES and "templates" in path.parts
        ):
            yield path


def _collect(path: Path, root: Path, strings: dict[Key, Source]) -> None:
    content = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        content = "\n".join(_CALL.findall(templatize(content, origin=path.name)))
    elif "gettext" not in content:
        return
    for key, plural in _calls(content):
        source = strings.setdefault(key, Source())
        source.plural = source.plural or plural
        source.files.add(path.relative_to(root).as_posix())


def _calls(code: str) -> Iterator[tuple[Key, str]]:
    """
    Yield each translated string and its plural; calls with computed arguments have none.
    """
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
        kinds = FUNCTIONS.get(name, ())
        texts = [arg.value for arg in node.args[: len(kinds)] if isinstance(arg, ast.Constant)]
        found = {k: text for k, text in zip(kinds, texts, strict=False) if isinstance(text, str)}
        if found.get("msgid") and len(found) == len(kinds):
            yield (found.get("context", ""), found["msgid"]), found.get("plural", "")


def _key(message: Message) -> Key:
    msgid = message.id if isinstance(message.id, str) else message.id[0]
    return (message.context or "", msgid)


def _text(message: Message | None) -> str:
    if message is None:
        return ""
    text = message.string
    return (text[0] if text else "") if isinstance(text, tuple | list) else text or ""


def _is_translated(message: Message) -> bool:
    return bool(_text(message))


def _placeholders(text: str) -> Counter[str]:
    return Counter(_PLACEHOLDER.findall(text))


def _edges(text: str) -> tuple[bool, bool]:
    return text.startswith("\n"), text.endswith("\n")
