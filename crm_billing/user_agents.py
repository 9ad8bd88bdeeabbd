"""
What people call their browser. Good enough to recognise one's own sessions, and for nothing else.
"""

# the first that matches wins: embedded and rebadged browsers name the one they are built on too
BROWSERS = (
    ("MicroMessenger", "WeChat"),
    ("AlipayClient", "Alipay"),
    ("DingTalk", "DingTalk"),
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("HeadlessChrome", "Chrome"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
)
SYSTEMS = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
PHONES = ("Android", "iPhone", "Mobile", "HarmonyOS")


def name(user_agent: str) -> str:
    """
    Return "Chrome · Windows", or the text itself when nothing in it is known.
    """
    found = (
        next((label for mark, label in known if mark in user_agent), "")
        for known in (BROWSERS, SYSTEMS)
    )
    return " · ".join(filter(None, found)) or user_agent[:60]


def on_phone(user_agent: str) -> bool:
    return any(mark in user_agent for mark in PHONES)
