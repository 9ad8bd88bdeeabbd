"""
Staff roles: which group may do what in the admin. Customers' roles live on Member.
"""

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import transaction

SUPPORT = "SUPPORT"
FINANCE_MAKER = "FINANCE_MAKER"
FINANCE_CHECKER = "FINANCE_CHECKER"
ADMIN = "ADMIN"

# Whose rows each role may look at. Nobody has add, change or delete on the ledger.
_LOOK_EVERYWHERE = ("accounts", "crm_billing", "packages", "reports", "wallet")

# What each role may do besides looking; "app.codename".
ACTS: dict[str, frozenset[str]] = {
    SUPPORT: frozenset(
        {
            "accounts.change_customer",
            "accounts.add_invitation",
            "accounts.change_invitation",
            "packages.cancel_subscription",
            "wallet.requery_topup",
        }
    ),
    FINANCE_MAKER: frozenset(
        {
            "wallet.propose_adjustment",
            "wallet.requery_topup",
            "wallet.resolve_case",
        }
    ),
    FINANCE_CHECKER: frozenset(
        {
            "wallet.approve_adjustment",
            "wallet.requery_topup",
            "wallet.resolve_case",
            "wallet.lift_freeze",
            "accounts.freeze_customer",
        }
    ),
    ADMIN: frozenset(
        {
            "accounts.change_customer",
            "accounts.freeze_customer",
            "accounts.add_invitation",
            "accounts.change_invitation",
            "accounts.change_member",
            "accounts.delete_member",
            "accounts.change_apikey",
            "accounts.add_user",
            "accounts.change_user",
            "auth.view_group",
            "wallet.requery_topup",
            "wallet.resolve_case",
            "wallet.lift_freeze",
            "wallet.add_walletpolicy",
            "packages.add_dunningpolicy",
            "packages.cancel_subscription",
            "packages.publish_package",
            "packages.run_renewals",
            "crm_billing.unpark_outbox",
            "django_celery_beat.view_periodictask",
        }
    ),
}


def permissions_of(role: str) -> set[str]:
    """
    Return what a role may do, as "app.codename": look at everything of ours, and its acts.
    """
    views = Permission.objects.filter(
        content_type__app_label__in=_LOOK_EVERYWHERE, codename__startswith="view_"
    )
    seen = {
        f"{p.content_type.app_label}.{p.codename}" for p in views.select_related("content_type")
    }
    return seen | ACTS[role]


@transaction.atomic
def sync() -> None:
    """
    Make the groups and give each exactly the permissions of the table above.

    Permissions exist only after every app has migrated; until then the missing ones are left out.
    """
    everything = Permission.objects.select_related("content_type")
    known = {_named(permission): permission for permission in everything}
    for role in ACTS:
        group, _created = Group.objects.get_or_create(name=role)
        group.permissions.set(known[name] for name in permissions_of(role) if name in known)


def sync_after_migrate(sender, using: str, **kwargs) -> None:
    """
    Follow every migration, once: after the last app has got its permissions.
    """
    *_rest, last = (config for config in apps.get_app_configs() if config.models_module)
    if sender is last:
        sync()


def _named(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
