from django.urls import path

from accounts import views

app_name = "accounts"

urlpatterns = [
    path("welcome/", views.welcome, name="welcome"),
    path("switch/", views.switch_customer, name="switch-customer"),
    path("settings/", views.settings, name="settings"),
    path("settings/profile/", views.profile, name="profile"),
    path("settings/security/", views.security, name="security"),
    path("settings/members/", views.member_list, name="member-list"),
    path("settings/members/invite/", views.invite_member, name="invite-member"),
    path("settings/members/<int:member_id>/role/", views.change_role, name="change-role"),
    path("settings/members/<int:member_id>/remove/", views.remove_member, name="remove-member"),
    path(
        "settings/invitations/<int:invitation_id>/revoke/",
        views.revoke_invitation,
        name="revoke-invitation",
    ),
    path("settings/api-keys/", views.api_key_list, name="api-key-list"),
    path("settings/api-keys/create/", views.create_api_key, name="create-api-key"),
    path("settings/api-keys/<int:api_key_id>/revoke/", views.revoke_api_key, name="revoke-api-key"),
    path("invitations/<str:token>/", views.invitation, name="invitation"),
    path(
        "invitations/<int:invitation_id>/accept/", views.accept_invitation, name="accept-invitation"
    ),
]
