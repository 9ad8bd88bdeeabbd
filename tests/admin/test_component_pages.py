"""
The components of a price in the making, one page each: every kind, every refusal at its field, and
two people at once.
"""

import pytest
from django.utils import timezone

from packages import catalogue
from tests.admin.drafting import NAMED, add, change, errors, page_of, whole
from tests.admin.test_packages import entered_at, text, url
from tests.factories import cny
from tests.packages.shelf import calls, counted, fee, seats, terms

pytestmark = pytest.mark.django_db
MANY_STEPS = "\n".join([*(f"{end} 1" for end in range(1, 101)), "* 1"])


class TestComponent:
    def test_of_every_kind_is_added_in_turn(self, client, admin, version):
        counted(terms(calls(), fee()))
        add(client, version, "recurring", amount="99.00")
        add(client, version, "seat", tiers="10 25\n* 20 5", included="3", model="GRADUATED")
        add(
            client,
            version,
            "metered",
            tiers="0.0123",
            included="1000",
            hard_limit="5000",
            pack_units="100",
            pack_price="1.00",
        )
        add(client, version, "percentage", code="collection", percent="0.6", least="0.10")
        add(client, version, "feature", code="exports", name="导出", name_en="Exports", amount="0")
        answer = add(client, version, "one_off", amount="500.00", **NAMED)
        assert answer.url == url("change", version)
        base, places, use, share, exports, setup = whole(version).terms.components
        assert (base.code, base.amount) == ("base", cny("99.00"))
        assert (places.code, places.tiers, places.included) == ("seats", seats().tiers, 3)
        assert (use.code, use.name, use.unit_en) == ("api_calls", "调用", "")
        assert use.tiers == ({"up_to": None, "unit_price": "0.0123"},)
        assert (use.hard_limit, use.pack_units, use.pack_price) == (5_000, 100, cny("1.00"))
        assert (share.bps, share.least, share.most) == (60, cny("0.10"), None)
        assert (exports.amount, setup.kind, setup.amount) == (cny("0"), "ONE_OFF", cny("500"))
        page = text(client.get(answer.url))
        assert "Still missing" not in page
        assert "¥99.00 a month" in page and "每月" in page  # as customers read it

    def test_in_packages_has_their_size(self, client, admin, version):
        counted(terms(calls()))
        add(client, version, "metered", model="PACKAGE", package_size="1000", tiers="2.00")
        (use,) = whole(version).terms.components
        assert (use.model, use.package_size) == ("PACKAGE", 1_000)

    @pytest.mark.parametrize(
        ("kind", "wrong", "field"),
        [
            ("recurring", {"amount": ""}, "amount"),
            ("recurring", {"amount": "x"}, "amount"),
            ("recurring", {"amount": "-1"}, "amount"),
            ("recurring", {"amount": "1", "code": "No spaces"}, "code"),
            ("recurring", {"amount": "1", "name": ""}, "name"),
            ("feature", {"amount": "1"}, "code"),
            ("seat", {"tiers": "10 25"}, "tiers"),
            ("seat", {"tiers": "a b c d"}, "tiers"),
            ("seat", {"tiers": "10 1\n* 2", "model": "PER_UNIT"}, "tiers"),
            ("seat", {"tiers": MANY_STEPS, "model": "GRADUATED"}, "tiers"),
            ("seat", {"tiers": "5", "model": "PACKAGE"}, "package_size"),
            ("seat", {"tiers": "5", "package_size": "9"}, "package_size"),
            ("seat", {"tiers": "5", "included": "9", "hard_limit": "3"}, "hard_limit"),
            ("seat", {"tiers": "5", "included": "-1"}, "included"),
            ("metered", {"tiers": "5", "pack_units": "5"}, "pack_price"),
            ("metered", {"tiers": "5", "pack_price": "5"}, "pack_units"),
            ("metered", {"tiers": "5", "pack_units": "5", "pack_price": "0"}, "pack_price"),
            ("metered", {"tiers": "5", "code": "unknown"}, "code"),
            ("percentage", {"percent": "101", "code": "collection"}, "percent"),
            ("percentage", {"percent": "1", "least": "2", "most": "1"}, "most"),
            (
                "percentage",
                {"percent": "1", "period_least": "2", "period_most": "1"},
                "period_most",
            ),
            ("percentage", {"percent": "1", "code": "api_calls"}, "code"),
        ],
    )
    def test_is_refused_at_the_field_with_all_that_was_typed(
        self, client, admin, version, kind, wrong, field
    ):
        counted(terms(calls(), fee()))
        chosen = {"percentage": {"code": "collection"}, "metered": {"code": "api_calls"}}
        said = {"name_en": "Typed by hand"} | chosen.get(kind, {}) | wrong
        if kind == "feature":
            said |= {"name": "某"}
        answer = add(client, version, kind, **said)
        assert answer.status_code == 422 and field in errors(answer)
        assert "Typed by hand" in answer.content.decode()
        assert not whole(version).terms.components

    def test_needs_a_code_of_its_own(self, client, admin, version):
        add(client, version, "recurring", amount="1.00")
        answer = add(client, version, "one_off", amount="1.00", **NAMED | {"code": "base"})
        assert answer.status_code == 422 and errors(answer) == ["code"]

    def test_a_second_basic_price_is_refused(self, client, admin, version):
        add(client, version, "recurring", amount="1.00")
        answer = add(client, version, "recurring", amount="2.00", code="base2")
        assert answer.status_code == 422 and "one basic price" in text(answer)

    def test_says_that_a_meter_is_needed_first(self, client, admin, version):
        page = text(client.get(page_of(version, "new_component", "metered")))
        assert "Add one under “Meters” first." in page

    def test_a_kind_that_is_none_is_not_there(self, client, admin, version):
        assert client.get(page_of(version, "new_component", "gift")).status_code == 404

    def test_changes_alone(self, client, admin, version):
        add(client, version, "recurring", amount="1.00")
        add(client, version, "one_off", amount="5.00", **NAMED)
        change(client, page_of(version, "component", "x"), code="setup", amount="6.00")
        base, setup = whole(version).terms.components
        assert (base.amount, setup.code, setup.amount) == (cny("1.00"), "setup", cny("6.00"))
        page = text(client.get(page_of(version, "component", "base")))
        assert "Change: Basic price" in page

    def test_moves_and_goes(self, client, admin, version):
        for code in ("a", "b", "c"):
            add(client, version, "one_off", amount="5.00", **NAMED | {"code": code})

        def order() -> str:
            return "".join(one.code for one in whole(version).terms.components)

        client.post(page_of(version, "raise_component", "c"))
        assert order() == "acb"
        client.post(page_of(version, "lower_component", "a"))
        assert order() == "cab"
        client.post(page_of(version, "raise_component", "c"))
        client.post(page_of(version, "lower_component", "b"))
        assert order() == "cab"
        client.get(page_of(version, "lower_component", "c"))
        assert order() == "cab"
        change(client, page_of(version, "remove_component", "a"))
        assert order() == "cb"

    def test_that_is_gone_leads_back(self, client, admin, version):
        for name in ("component", "remove_component"):
            answer = client.get(page_of(version, name, "gone"), follow=True)
            assert "not there any more" in text(answer)
        answer = client.post(page_of(version, "raise_component", "gone"), follow=True)
        assert "removed this component" in text(answer)

    def test_two_people_changing_others_lose_nothing(self, client, admin, version):
        add(client, version, "recurring", amount="1.00")
        add(client, version, "one_off", amount="5.00", **NAMED)
        mine = entered_at(client, page_of(version, "component", "base"), amount="2.00")
        change(client, page_of(version, "component", "x"), amount="6.00")
        client.post(page_of(version, "component", "base"), mine)
        assert [str(one.amount.amount) for one in whole(version).terms.components] == [
            "2.00",
            "6.00",
        ]

    def test_of_two_people_changing_the_same_the_later_is_told(self, client, admin, version):
        add(client, version, "recurring", amount="1.00")
        address = page_of(version, "component", "base")
        mine = entered_at(client, address, amount="2.00")
        change(client, address, amount="3.00")
        answer = client.post(address, mine)
        assert answer.status_code == 422 and "Somebody else has changed" in text(answer)
        assert "¥3.00 a month" in text(answer)
        assert whole(version).terms.fixed == cny("3.00")
        client.post(address, mine | {"seen": answer.context["form"].data["seen"]})
        assert whole(version).terms.fixed == cny("2.00")

    def test_does_not_change_when_published_meanwhile(self, client, admin, version):
        add(client, version, "recurring", amount="1.00")
        address = page_of(version, "component", "base")
        mine = entered_at(client, address, amount="2.00")
        catalogue.publish(package_id=version.package_id, at=timezone.now(), by=None)
        answer = client.post(address, mine)
        assert answer.status_code == 422 and "has been published" in text(answer)
        for name in ("raise_component", "remove_component"):
            client.post(page_of(version, name, "base"))
        assert whole(version).terms.fixed == cny("1.00")
        page = client.get(url("change", version)).content.decode()
        assert "/components/" not in page
