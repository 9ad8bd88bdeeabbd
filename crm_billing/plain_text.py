"""
Names and other short texts hold nothing that a reader cannot see.

A name with U+202E reads backwards on a receipt, one with a zero-width character looks like
another's. Refused are control and format characters and the separators of lines and paragraphs;
joiners stay where scripts and emoji need them.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from unicodedata import bidirectional, category, combining

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from crm_billing.errors import DomainError

UNSEEN = {"Cc", "Cf", "Zl", "Zp"}
_ZWNJ, _ZWJ = "\u200c", "\u200d"
_VIRAMA = 9  # the combining class of the sign that joins consonants in Indic scripts


def require(text: str) -> None:
    """
    Refuse a text with a character nobody sees (a validator of fields).

    raises ValidationError: with the first such character's number.
    """
    for place, character in enumerate(text):
        if category(character) in UNSEEN and not _joins(text, place):
            raise ValidationError(
                _("This holds an invisible character (%(character)s). Please type it by hand."),
                code="invisible",
                params={"character": f"U+{ord(character):04X}"},
            )


@contextmanager
def refused_as(refusal: type[DomainError], *, field: str) -> Iterator[None]:
    """
    Say what is invalid inside as a refusal of a command, at the field it was entered in.

    raises `refusal`: for a ValidationError, with the first thing it says.
    """
    try:
        yield
    except ValidationError as invalid:
        raise refusal(invalid.messages[0], field=field) from None


def one_line(text: str) -> str:
    """
    Return a text on one line, each run of blanks and breaks as one blank.

    raises ValidationError: as `require`.
    """
    line = " ".join(text.split())
    require(line)
    return line


def seen(text: str) -> str:
    """
    Return what a reader sees of a text that came with a file, as its name.
    """
    return "".join(character for character in text if category(character) not in UNSEEN)


def require_lines(text: str) -> None:
    """
    Refuse a text of several lines with a character nobody sees; a line ends with \\n or \\r\\n.

    raises ValidationError: as `require`.
    """
    for line in text.replace("\r\n", "\n").split("\n"):
        require(line)


class PlainText(models.Model):
    """
    A row in whose short texts everything can be seen.
    """

    # fields that hold text of several lines
    several_lines: Collection[str] = ()

    class Meta:
        abstract = True

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        passed = {*(exclude or ()), *self.several_lines}
        errors: dict[str, list] = {}
        try:
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        for field in self._meta.concrete_fields:
            if isinstance(field, models.CharField) and field.name not in passed | errors.keys():
                try:
                    require(getattr(self, field.attname) or "")
                except ValidationError as error:
                    errors[field.name] = error.error_list
        if errors:
            raise ValidationError(errors)


def _joins(text: str, place: int) -> bool:
    """
    Tell whether a joiner stands where it shapes what is written: after a virama, between Arabic
    letters, between the parts of an emoji.
    """
    if text[place] not in (_ZWNJ, _ZWJ) or not 0 < place < len(text) - 1:
        return False
    before, after = text[place - 1], text[place + 1]
    if combining(before) == _VIRAMA:
        return True
    if text[place] == _ZWNJ:
        return bidirectional(before) == bidirectional(after) == "AL"
    return category(before) in ("So", "Sk", "Mn") and category(after) == "So"
