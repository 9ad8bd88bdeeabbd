from django.contrib.auth.decorators import login_not_required
from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from crm_billing.api_docs import docs
from packages.api import UsageView
from packages.api_advice import AdviceView
from packages.api_charges import ChargesView, ChargeView
from packages.api_entitlements import EntitlementListView, EntitlementView
from wallet.api.holds import HoldCaptureView, HoldListView, HoldReleaseView
from wallet.api.topups import TopUpListView, TopUpView
from wallet.api.wallet import EntryListView, WalletView

app_name = "api"

# DRF asks for the key itself; the portal's log-in must not stand before it.
views = {
    "wallet/": (WalletView, "wallet"),
    "wallet/entries/": (EntryListView, "entries"),
    "topups/": (TopUpListView, "topups"),
    "topups/<str:number>/": (TopUpView, "topup"),
    "charges/": (ChargesView, "charges"),
    "charges/<int:charge_id>/": (ChargeView, "charge"),
    "holds/": (HoldListView, "holds"),
    "holds/<int:hold_id>/capture/": (HoldCaptureView, "capture-hold"),
    "holds/<int:hold_id>/release/": (HoldReleaseView, "release-hold"),
    "usage/": (UsageView, "usage"),
    "entitlements/": (EntitlementListView, "entitlements"),
    "entitlements/<str:feature>/": (EntitlementView, "entitlement"),
    "advice/": (AdviceView, "advice"),
    "schema/": (SpectacularAPIView, "schema"),
}

urlpatterns = [
    *(
        path(route, login_not_required(view.as_view()), name=name)
        for route, (view, name) in views.items()
    ),
    path("docs/", docs, name="docs"),
]
