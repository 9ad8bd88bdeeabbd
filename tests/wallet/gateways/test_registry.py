from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.checks import run_checks

from wallet import gateways
from wallet.gateways.sandbox import keys


def found_ids():
    return [message.id for message in run_checks(tags=["gateways"])]


class TestGet:
    def test_returns_one_instance_while_its_options_stay_the_same(self, fake_gateway, settings):
        first = gateways.get("sandbox")
        assert gateways.get("sandbox") is first
        settings.GATEWAYS = {"sandbox": fake_gateway.options | {"merchant_id": "ANOTHER"}}
        assert gateways.get("sandbox").merchant_id == "ANOTHER"

    @pytest.mark.parametrize("code", ["nosuch", "", "SANDBOX", "sandbox "])
    def test_refuses_an_unknown_gateway(self, fake_gateway, code):
        with pytest.raises(gateways.UnknownGateway) as refusal:
            gateways.get(code)
        assert (refusal.value.code, refusal.value.data) == ("unknown_gateway", {"gateway": code})

    def test_refuses_one_that_is_switched_off(self, settings):
        settings.GATEWAYS = {}
        with pytest.raises(gateways.UnknownGateway):
            gateways.get("sandbox")


class TestEnabled:
    def test_lists_what_the_settings_name(self, fake_gateway, settings):
        assert [one.code for one in gateways.enabled()] == ["sandbox"]
        settings.GATEWAYS = {}
        assert gateways.enabled() == []


class TestGatewaysAreSafe:
    def test_finds_nothing_wrong_with_a_demo(self, fake_gateway, settings):
        settings.DEMO = True
        assert found_ids() == []

    @pytest.mark.parametrize("name", ["url", "merchant_id", "private_key", "gateway_public_key"])
    def test_refuses_a_gateway_without_a_secret(self, fake_gateway, settings, name):
        settings.GATEWAYS = {"sandbox": fake_gateway.options | {name: ""}}
        assert found_ids() == ["wallet.gateways.E002"]

    @pytest.mark.parametrize("value", ["short", "-----BEGIN PRIVATE KEY-----\nAAAA", "/nowhere"])
    def test_refuses_a_key_that_cannot_be_read(self, fake_gateway, settings, value):
        settings.GATEWAYS = {"sandbox": fake_gateway.options | {"private_key": value}}
        assert found_ids() == ["wallet.gateways.E002"]

    def test_refuses_an_address_that_is_not_http(self, fake_gateway, settings):
        settings.GATEWAYS = {"sandbox": fake_gateway.options | {"url": "file:///etc/passwd"}}
        assert found_ids() == ["wallet.gateways.E002"]

    def test_refuses_play_money_in_production(self, fake_gateway, settings):
        settings.DEBUG = settings.DEMO = False
        assert found_ids() == ["wallet.gateways.E003"]

    def test_refuses_a_gateway_that_does_not_exist(self, settings):
        settings.GATEWAYS = {"nosuch": {}}
        assert found_ids() == ["wallet.gateways.E001"]


class TestKeys:
    def test_are_made_once_and_readable_by_their_owner_only(self, tmp_path):
        directory = tmp_path / "deep" / "keys"
        made = keys.ensure(directory)
        before = made.gateway_private.read_bytes()
        assert keys.ensure(directory) == made
        assert made.gateway_private.read_bytes() == before
        assert directory.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in directory.iterdir()} == {0o600}
        assert len(list(directory.iterdir())) == 4
        assert list(directory.parent.iterdir()) == [directory]

    def test_keep_those_of_the_process_that_was_faster(self, tmp_path):
        directory = tmp_path / "keys"
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: keys.ensure(directory), range(4)))
        assert len(set(made)) == 1
        assert list(tmp_path.iterdir()) == [directory]
        private = keys.private_key(str(made[0].merchant_private))
        public = keys.public_key(str(made[0].merchant_public))
        assert private.public_key().public_numbers() == public.public_numbers()

    def test_say_so_when_they_cannot_be_written(self, tmp_path):
        (tmp_path / "keys").write_text("a file is in the way")
        with pytest.raises(OSError):
            keys.ensure(tmp_path / "keys")

    def test_may_be_given_as_text_with_written_newlines(self, sandbox_keys):
        text = sandbox_keys.merchant_private.read_text()
        expected = keys.private_key(str(sandbox_keys.merchant_private)).private_numbers()
        for given in (text, text.replace("\n", "\\n")):
            assert keys.private_key(given).private_numbers() == expected

    def test_refuse_a_short_key(self, monkeypatch, tmp_path):
        monkeypatch.setattr(keys, "BITS", 1024)
        weak = keys.ensure(tmp_path / "weak")
        monkeypatch.undo()
        for read, path in (
            (keys.private_key, weak.merchant_private),
            (keys.public_key, weak.merchant_public),
        ):
            with pytest.raises(ValueError, match="2048"):
                read(str(path))
