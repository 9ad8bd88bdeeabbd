from django.urls import path, re_path

from reports import views

app_name = "reports"

NUMBER = r"(?P<number>R[0-9]{4}-[0-9]{6,12})"

urlpatterns = [
    path("receipts/", views.receipt_list, name="receipt-list"),
    re_path(rf"^receipts/{NUMBER}/$", views.receipt_detail, name="receipt-detail"),
    re_path(rf"^receipts/{NUMBER}\.pdf$", views.receipt_pdf, name="receipt-pdf"),
    re_path(r"^verify/(?P<code>[a-z2-7]{24})/$", views.verify, name="verify"),
]
