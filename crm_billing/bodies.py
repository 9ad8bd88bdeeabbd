"""
How the bodies that programs send are read.
"""

from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

DEEPEST = 20  # levels; ours have four


class TooDeep(ParseError):
    """
    A body whose lists and objects hold each other without end.
    """

    default_detail = gettext_lazy("The body is nested too deeply.")


class ShallowJSONParser(JSONParser):
    """
    JSON that nothing after it has to fear for its depth.

    raises ParseError: it is no JSON, or too deep.
    """

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            body = super().parse(*args, **kwargs)
        except RecursionError:
            raise TooDeep from None
        if _is_deeper(body, DEEPEST):
            raise TooDeep
        return body


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    held = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in held)
