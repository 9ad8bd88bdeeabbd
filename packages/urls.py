from django.urls import path

from packages.views import (
    advice,
    changes,
    charges,
    checkout,
    coupons,
    limits,
    pausing,
    prices,
    showcase,
    subscriptions,
    top_up,
    usage,
)

app_name = "packages"

urlpatterns = [
    path("packages/", showcase.package_list, name="package-list"),
    path("packages/<slug:code>/", showcase.package_detail, name="package"),
    path("packages/<slug:code>/top-up/", top_up.top_up_order, name="top-up"),
    path("packages/<slug:code>/subscribe/", checkout.subscribe, name="subscribe"),
    path("quotes/<slug:code>/", checkout.quote_detail, name="quote"),
    path("quotes/<slug:code>/coupon/", coupons.quote_coupon, name="quote-coupon"),
    path("quotes/<slug:code>/live/", checkout.quote_live, name="quote-live"),
    path("subscriptions/", subscriptions.subscription_list, name="subscription-list"),
    path("subscriptions/<slug:number>/", subscriptions.subscription_detail, name="subscription"),
    path("subscriptions/<slug:number>/cancel/", subscriptions.cancel, name="cancel"),
    path("subscriptions/<slug:number>/renew/", subscriptions.renew, name="renew"),
    path("subscriptions/<slug:number>/coupon/", coupons.enter_coupon, name="enter-coupon"),
    path("subscriptions/<slug:number>/coupon/remove/", coupons.remove_coupon, name="remove-coupon"),
    path("subscriptions/<slug:number>/change/", changes.change, name="change"),
    path(
        "subscriptions/<slug:number>/changes/<int:change_id>/revoke/",
        changes.revoke,
        name="revoke-change",
    ),
    path("subscriptions/<slug:number>/price/", prices.new_price, name="new-price"),
    path("subscriptions/<slug:number>/pause/", pausing.pause, name="pause"),
    path("subscriptions/<slug:number>/pause/revoke/", pausing.revoke_pause, name="revoke-pause"),
    path("subscriptions/<slug:number>/resume/", pausing.resume, name="resume"),
    path(
        "subscriptions/<slug:number>/waiting/revoke/",
        changes.revoke_waiting,
        name="revoke-waiting",
    ),
    path("usage/", usage.usage, name="usage"),
    path("usage/limits/", limits.limits_page, name="limits"),
    path("usage/limits/<slug:number>/<slug:code>/", limits.overage, name="overage"),
    path("usage/limits/<slug:number>/<slug:code>/pack/", limits.pack, name="pack"),
    path("advice/", advice.advice, name="advice"),
    path("charges/", charges.charge_list, name="charge-list"),
    path("charges/<int:charge_id>/", charges.charge_detail, name="charge"),
    path("charges/<int:charge_id>/dispute/", charges.dispute, name="dispute"),
]
