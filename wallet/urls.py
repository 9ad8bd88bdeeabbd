from django.urls import path

from wallet.views import activity, callbacks, lots, overview, topup_order, topups

app_name = "wallet"

urlpatterns = [
    path("", overview.home, name="home"),
    path("wallet/", overview.overview, name="overview"),
    path("wallet/activity/", activity.activity_list, name="activity"),
    path("wallet/activity.csv", activity.activity_csv, name="activity-csv"),
    path("wallet/activity/<int:entry_id>/", activity.entry_detail, name="entry"),
    path("wallet/lots/", lots.lot_list, name="lots"),
    path("wallet/topups/", topups.topup_list, name="topup-list"),
    path("wallet/topups/new/", topup_order.topup_new, name="topup-new"),
    path("wallet/topups/new/confirm/", topup_order.topup_confirm, name="topup-confirm"),
    path("wallet/topups/new/summary/", topup_order.topup_summary, name="topup-summary"),
    path("wallet/topups/<str:number>/", topups.topup_status, name="topup-status"),
    path("wallet/topups/<str:number>/live/", topups.topup_live, name="topup-live"),
    path("wallet/topups/<str:number>/return/", topups.topup_return, name="topup-return"),
    path("wallet/topups/<str:number>/pay/", topups.pay_topup, name="topup-pay"),
    path("wallet/topups/<str:number>/ask/", topups.ask_topup, name="topup-ask"),
    path("wallet/topups/<str:number>/retry/", topups.retry_topup, name="topup-retry"),
    path("wallet/topups/<str:number>/cancel/", topups.cancel_topup, name="topup-cancel"),
    path("gateways/<slug:code>/callback/", callbacks.gateway_callback, name="gateway-callback"),
]
