"""
How tests read the pages about packages.
"""

import html
import re

from django.http import HttpResponse


def text(response: HttpResponse) -> str:
    """
    Return what a page says, without its markup.
    """
    body = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())
