from django.urls import path

from packages.views import showcase, top_up, usage

app_name = "packages"

urlpatterns = [
    path("packages/", showcase.package_list, name="package-list"),
    path("packages/<slug:code>/", showcase.package_detail, name="package"),
    path("packages/<slug:code>/top-up/", top_up.top_up_order, name="top-up"),
    path("usage/", usage.usage, name="usage"),
]
