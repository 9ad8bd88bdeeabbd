"""
How the administration looks: names, colours, menus.
"""

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _


def unfold(*, brand: str, issuer: str) -> dict[str, Any]:
    """
    Return the settings of the admin's theme.
    """
    return {
        "SITE_TITLE": f"{brand} · {issuer}",
        "SITE_HEADER": brand,
        "SITE_SUBHEADER": _("Administration"),
        "SITE_ICON": lambda request: static("img/mark.svg"),
        "SITE_FAVICONS": [
            {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/mark.svg")}
        ],
        "STYLES": [lambda request: static("css/admin.css")],
        "SCRIPTS": [lambda request: static("js/admin.js")],
        "SHOW_HISTORY": False,
        "SHOW_VIEW_ON_SITE": False,
        "SHOW_LANGUAGES": True,
        "BORDER_RADIUS": "8px",
        "COLORS": {
            "base": {
                "50": "#f5f6f8",
                "100": "#eeeff1",
                "200": "#e3e5e9",
                "300": "#c9cacd",
                "400": "#a9abb0",
                "500": "#6b6f77",
                "600": "#565a61",
                "700": "#46494f",
                "800": "#34363a",
                "900": "#222325",
                "950": "#16181d",
            },
            "primary": {
                "50": "#eef6fd",
                "100": "#dcecfb",
                "200": "#bcdcf8",
                "300": "#93c8fb",
                "400": "#6cb2f7",
                "500": "#3a96ee",
                "600": "#066fd1",
                "700": "#0563bb",
                "800": "#0a4f92",
                "900": "#0f3f70",
                "950": "#16324d",
            },
        },
        "DASHBOARD_CALLBACK": "reports.dashboards.first_page",
        "SIDEBAR": {
            "show_search": True,
            "command_search": True,
            "navigation": "reports.navigation.sidebar",
        },
        "COMMAND": {"search_callback": "reports.search.find"},
        "ACCOUNT": {"navigation": "reports.navigation.account"},
    }
