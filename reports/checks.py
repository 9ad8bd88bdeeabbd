"""
What `manage.py check` says about drawing documents on this machine.
"""

from django.core.checks import CheckMessage, Warning, register

from reports import pdf


@register
def pdf_libraries(app_configs, **kwargs) -> list[CheckMessage]:
    """
    Say which command brings pango; until then receipts are pages, and mails wait in the outbox.
    """
    if names := pdf.missing():
        return [
            Warning(
                f"PDF documents cannot be drawn here: {', '.join(names)} cannot be loaded.",
                hint=f"Run: {pdf.how_to_install()}",
                id="reports.W001",
            )
        ]
    if names := pdf.missing_for_speed():
        return [
            Warning(
                f"PDF documents take twenty times as long without {', '.join(names)}.",
                hint=f"Run: {pdf.how_to_install()}",
                id="reports.W002",
            )
        ]
    return []
