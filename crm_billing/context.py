from django.conf import settings


def issuer(request) -> dict:
    """
    Give templates the names of the company that runs the portal.
    """
    return {
        "BRAND_NAME": settings.BRAND_NAME,
        "ISSUER_NAME": settings.ISSUER_NAME,
        "ISSUER_EMAIL": settings.ISSUER_EMAIL,
        "DEMO": settings.DEMO,
    }
