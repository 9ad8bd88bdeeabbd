import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from crm_billing import catalogues
from crm_billing.catalogues import Source

HELLO = {("", "Hello %(name)s"): Source(files={"a.html"})}


@pytest.fixture
def own_locale(settings, tmp_path):
    """
    Keep the catalogue in a folder of the test's own; return its path.
    """
    settings.LOCALE_PATHS = [str(tmp_path / "locale")]
    return catalogues.po_path()


def catalogue(tmp_path: Path, entries: str) -> catalogues.Catalog:
    path = tmp_path / "some.po"
    path.write_text(catalogues.HEADER + entries, encoding="utf-8")
    return catalogues.read(path)


def committed() -> dict[tuple[str, str], str]:
    """
    Return (context, msgid) -> the Chinese text of what is translated.
    """
    messages = [one for one in catalogues.read(catalogues.po_path()) if one.id]
    return {catalogues._key(one): str(one.string) for one in messages}


class TestTheCommittedCatalogue:
    def test_is_complete_and_compiled(self):
        problems = catalogues.problems()

        assert not problems, "\n".join([*problems, f"{len(problems)} problems"])

    def test_speaks_chinese(self):
        with translation.override("zh-hans"):
            assert translation.gettext("Enter an amount.") == "请填写金额。"
        with translation.override("en"):
            assert translation.gettext("Enter an amount.") == "Enter an amount."

    def test_says_of_customers_that_are_frozen_something_else_than_of_money_held(self):
        mixed = [
            (key[1], translated)
            for key, translated in committed().items()
            if re.search(r"\b(un)?fr(ee|o)ze", key[1], re.IGNORECASE)
            and re.search("冻", translated.replace("资金冻结", ""))
        ]
        assert not mixed

    def test_calls_a_receipt_the_same_everywhere_but_on_the_pdf(self):
        files = {key: source.files for key, source in catalogues.wanted().items()}
        mixed = [
            (key[1], translated)
            for key, translated in committed().items()
            if "凭证" in translated and files.get(key) != {"templates/pdf/receipt.html"}
        ]
        assert not mixed

    def test_stays_the_same_when_updated(self, own_locale, settings):
        committed = Path(settings.BASE_DIR) / "locale/zh_Hans/LC_MESSAGES/django.po"
        catalogues.update([committed])
        first = own_locale.read_bytes(), own_locale.with_suffix(".mo").read_bytes()
        catalogues.update()

        assert (own_locale.read_bytes(), own_locale.with_suffix(".mo").read_bytes()) == first


class TestWanted:
    def test_finds_python_templates_and_what_foreign_apps_lack(self):
        strings = catalogues.wanted()

        assert strings["", "Enter an amount."].files == {"crm_billing/money.py"}
        assert strings["", "Apply Filters"].files  # unfold has no Chinese catalogue
        assert ("", "Delete?") not in strings  # django.contrib.admin has it
        assert not [key for key in strings if not key[1]]

    @pytest.mark.parametrize(
        ("code", "found"),
        [
            ("_('a')", [(("", "a"), "")]),
            ("translation.gettext('a' 'b')", [(("", "ab"), "")]),
            ("ngettext('%d x', '%d xs', n) % n", [(("", "%d x"), "%d xs")]),
            ("pgettext_lazy('verb', 'Open')", [(("verb", "Open"), "")]),
            ("npgettext('c', 'x', 'xs', 2)", [(("c", "x"), "xs")]),
            ("gettext(name)", []),
            ("gettext(messages['a'])", []),
            ("gettext(f'{x}')", []),
            ("other('a')", []),
        ],
    )
    def test_reads_python(self, code, found):
        assert list(catalogues._calls(code)) == found

    @pytest.mark.parametrize(
        ("template", "found"),
        [
            ('{% translate "It\'s" %}', {("", "It's"): ""}),
            ("{% translate 'Open' context 'verb' as x %}", {("verb", "Open"): ""}),
            ('{{ _("Now")|upper }}', {("", "Now"): ""}),
            ('{% include "x" with title=_("Yes") only %}', {("", "Yes"): ""}),
            (
                "{% blocktranslate trimmed with n=x.name %}\n  Dear {{ n }},\n  hi\n"
                "{% endblocktranslate %}",
                {("", "Dear %(n)s, hi"): ""},
            ),
            (
                "{% blocktranslate count n=k %}one 100%{% plural %}{{ n }} (all)"
                "{% endblocktranslate %}",
                {("", "one 100%%"): "%(n)s (all)"},
            ),
            ('{# translators: {% translate "no" %} #}{% comment %}_("no"){% endcomment %}', {}),
        ],
    )
    def test_reads_templates(self, template, found, tmp_path):
        (tmp_path / "a.html").write_text(template, encoding="utf-8")
        strings: dict = {}
        catalogues._collect(tmp_path / "a.html", tmp_path, strings)

        assert {key: source.plural for key, source in strings.items()} == found


class TestProblems:
    @pytest.mark.parametrize(
        ("entries", "problem"),
        [
            ("", "untranslated: 'Hello %(name)s' (a.html)"),
            ('msgid "Hello %(name)s"\nmsgstr ""\n', "untranslated: 'Hello %(name)s' (a.html)"),
            (
                '#, fuzzy, python-format\nmsgid "Hello %(name)s"\nmsgstr "你好 %(name)s"\n',
                "fuzzy: 'Hello %(name)s'",
            ),
            (
                'msgid "Hello %(name)s"\nmsgstr "你好 %(who)s"\n',
                "placeholders differ: 'Hello %(name)s' and '你好 %(who)s'",
            ),
            (
                'msgid "Hello %(name)s"\nmsgid_plural "Hello %(name)s all"\n'
                'msgstr[0] "你好 %(name)s"\n',
                "plural differs: 'Hello %(name)s'",
            ),
            (
                'msgid "Hello %(name)s"\nmsgstr "你好 %(name)s\\n"\n',
                "line breaks around differ: 'Hello %(name)s' and '你好 %(name)s\\n'",
            ),
            (
                'msgid "Hello %(name)s"\nmsgstr "你好 %(name)s"\n\nmsgid "Old"\nmsgstr "旧"\n',
                "obsolete: 'Old'",
            ),
            (
                'msgid "Hello %(name)s"\nmsgstr "你好 %(name)s"\n\n'
                '#~ msgid "Gone"\n#~ msgstr "去"\n',
                "obsolete: 'Gone'",
            ),
        ],
    )
    def test_names_what_is_wrong(self, tmp_path, entries, problem):
        assert list(catalogues._problems(HELLO, catalogue(tmp_path, entries))) == [problem]

    def test_finds_nothing_wrong_with_a_complete_catalogue(self, tmp_path):
        entries = 'msgid "Hello %(name)s"\nmsgstr "%(name)s，你好"\n'

        assert list(catalogues._problems(HELLO, catalogue(tmp_path, entries))) == []

    def test_notices_a_binary_that_is_not_what_the_text_says(self, own_locale):
        catalogues.update()
        assert not list(catalogues._compiled_problems(own_locale))

        text = own_locale.read_text(encoding="utf-8")
        own_locale.write_text(text + '\nmsgid "Late"\nmsgstr "晚"\n', encoding="utf-8")
        assert len(list(catalogues._compiled_problems(own_locale))) == 1

        own_locale.with_suffix(".mo").unlink()
        assert len(list(catalogues._compiled_problems(own_locale))) == 1


class TestUpdate:
    def test_takes_fragments_then_the_old_then_what_other_apps_know(self, own_locale, tmp_path):
        one, two = tmp_path / "one.po", tmp_path / "two.po"
        one.write_text(
            'msgid "Enter an amount."\nmsgstr "一"\n\nmsgid "Nobody asks"\nmsgstr "无"\n',
            encoding="utf-8",
        )
        two.write_text('msgid "Enter an amount."\nmsgstr "二"\n', encoding="utf-8")

        merged = catalogues.update([one, two])
        again = catalogues.update()

        assert merged.unused == ["one.po: 'Nobody asks'"]
        assert merged.conflicts == ["two.po: 'Enter an amount.' is '一' and '二'"]
        assert ("", "Enter an amount.") not in again.missing
        assert 'msgid "Enter an amount."\nmsgstr "一"\n' in own_locale.read_text(encoding="utf-8")

    def test_refuses_a_fragment_that_is_not_there(self, own_locale, tmp_path):
        with pytest.raises(FileNotFoundError):
            catalogues.update([tmp_path / "none.po"])


class TestMessagesCommand:
    def test_lists_every_problem_at_once(self, own_locale):
        with pytest.raises(CommandError, match="untranslated: 'Enter an amount") as refusal:
            call_command("messages", check=True)

        assert str(refusal.value).count("\n") > 100

    def test_prints_what_is_missing_as_a_fragment(self, own_locale):
        out = StringIO()
        call_command("messages", missing=True, stdout=out, stderr=StringIO())

        assert '#. crm_billing/money.py\nmsgid "Enter an amount."\nmsgstr ""\n' in out.getvalue()

    def test_is_content_with_a_complete_catalogue(self, own_locale, monkeypatch):
        monkeypatch.setattr(catalogues, "wanted", dict)
        out = StringIO()
        call_command("messages", stderr=StringIO())
        call_command("messages", check=True, stdout=out)

        assert out.getvalue() == "The catalogue is complete and compiled.\n"
