import pytest
from django.contrib.auth.models import Group, Permission

from accounts import roles
from tests.factories import staff

pytestmark = pytest.mark.django_db

WRITES = ("add_", "change_", "delete_")
LEDGER = {"ledgeraccount", "journalentry", "posting", "lot", "lotuse", "hold"}


def names(group: str) -> set[str]:
    found = Permission.objects.filter(group__name=group).select_related("content_type")
    return {f"{p.content_type.app_label}.{p.codename}" for p in found}


class TestSync:
    def test_made_the_four_groups(self):
        assert set(Group.objects.values_list("name", flat=True)) == {
            "SUPPORT",
            "FINANCE_MAKER",
            "FINANCE_CHECKER",
            "ADMIN",
        }

    @pytest.mark.parametrize("role", roles.ACTS)
    def test_gives_what_the_table_says(self, role):
        expected = roles.permissions_of(role)
        known = {
            f"{p.content_type.app_label}.{p.codename}"
            for p in Permission.objects.select_related("content_type")
        }
        assert names(role) == expected & known
        assert "accounts.view_customer" in names(role)

    def test_takes_away_what_the_table_does_not_say(self):
        support = Group.objects.get(name=roles.SUPPORT)
        support.permissions.add(Permission.objects.get(codename="delete_customer"))
        roles.sync()
        assert "accounts.delete_customer" not in names(roles.SUPPORT)

    def test_may_run_twice(self):
        before = {role: names(role) for role in roles.ACTS}
        roles.sync()
        assert {role: names(role) for role in roles.ACTS} == before


class TestTable:
    @pytest.mark.parametrize("role", roles.ACTS)
    def test_lets_nobody_write_the_ledger(self, role):
        for name in names(role):
            app, codename = name.split(".")
            action, _, model = codename.partition("_")
            assert not (app == "wallet" and f"{action}_" in WRITES and model in LEDGER), name

    def test_keeps_maker_and_checker_apart(self):
        both = {"wallet.propose_adjustment", "wallet.approve_adjustment"}
        for role, acts in roles.ACTS.items():
            assert not both <= acts, role

    def test_lets_no_role_delete_people(self):
        for role in roles.ACTS:
            assert not {n for n in names(role) if ".delete_" in n} - {"accounts.delete_member"}

    def test_reaches_the_people_of_a_group(self):
        assert staff(roles.FINANCE_CHECKER).has_perm("accounts.freeze_customer")
        assert not staff(roles.SUPPORT).has_perm("accounts.freeze_customer")
