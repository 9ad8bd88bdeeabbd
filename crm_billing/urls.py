from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from accounts.entrance import confirm_address
from accounts.views import set_language
from crm_billing import health, pages

admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("language/", set_language, name="set_language"),
    path("theme/", pages.set_theme, name="set_theme"),
    path("admin/", admin.site.urls),
    path("account/confirm-email/", confirm_address, name="account_email_verification_sent"),
    path("account/", include("allauth.urls")),
    path("", include("accounts.urls")),
    path("", include("wallet.urls")),
    path("", include("packages.urls")),
    path("", include("reports.urls")),
    path("api/v1/", include("crm_billing.api_urls")),
]

handler400 = "crm_billing.pages.bad_request"
handler403 = "crm_billing.pages.permission_denied"
handler404 = "crm_billing.pages.not_found"
handler500 = "crm_billing.pages.server_error"
