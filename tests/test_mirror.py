"""`tests/` stands as `app/` does: whoever looks for the tests of a file finds them by its name, or here."""

from fnmatch import fnmatch

from tests.support.repository import ROOT

APP, TESTS = ROOT / "app", ROOT / "tests"
SHORT = 40
"""Lines. A shorter file is tested with what it is made for."""

# What is tested through a neighbour, or through several rooms at once.
ELSEWHERE = {
    "__init__.py": "test_settings.py",
    "composition.py": "test_settings.py",
    "environment.py": "test_settings.py",
    "startup.py": "test_settings.py",
    "loaded.py": "test_metrics.py",
    "accounts/*.py": "accounts/test_bank_accounts.py",
    "commands/journal.py": "commands/test_connections.py",
    "commands/ledger_prune.py": "commands/test_ledger.py",
    "commands/ledger_export.py": "commands/test_ledger.py",
    "commands/notices_metrics.py": "commands/test_notices_deliver.py",
    "commands/registry.py": "commands/test_commands.py",
    "development/demo_environment.py": "development/test_demo.py",
    "development/layout.py": "development/test_demo.py",
    "development/screens/*.py": "development/test_screens.py",
    "domain/history.py": "domain/test_fdx.py",
    "domain/notice_registration.py": "registration/test_notices.py",
    "domain/pushed.py": "web/machines/test_par.py",
    "domain/single_use.py": "stores/redis/test_once.py",
    "metrics/*.py": "test_metrics.py",
    "notices/outcomes.py": "notices/test_deliverer.py",
    "notices/ledger_retry.py": "notices/test_deliverer.py",
    "registration/*.py": "registration/test_file.py",
    "sign_in/__init__.py": "sign_in/test_sandbox.py",
    "stores/ledger/connection_queries.py": "stores/ledger/test_connections.py",
    "stores/ledger/notice_rows.py": "stores/ledger/test_notices.py",
    "stores/ledger/redemption.py": "stores/ledger/test_ledger.py",
    "stores/redis/authorization_record.py": "stores/redis/test_requests.py",
    "stores/redis/pushed.py": "web/test_pushed.py",
    "stores/redis/redis_py.py": "stores/redis/test_client.py",
    "web/consent/account_step.py": "web/consent/test_accounts.py",
    "web/consent/accounts_form.py": "web/consent/test_accounts.py",
    "web/consent/accounts_page.py": "web/consent/test_accounts.py",
    "web/consent/cached_page.py": "web/consent/test_accounts.py",
    "web/consent/form_text.py": "web/consent/test_consent_form.py",
    "web/consent/open_request.py": "web/consent/test_authorize.py",
    "web/consent/pages.py": "web/consent/test_consent_form.py",
    "web/consent/renewal.py": "web/consent/test_view.py",
    "web/consent/way_back.py": "web/consent/test_decision.py",
    "web/edge/forms.py": "web/sign_in/test_views.py",
    "web/edge/http_tracing.py": "test_tracing.py",
    "web/edge/problems.py": "web/edge/test_errors.py",
    "web/machines/access_token.py": "web/test_dpop.py",
    "web/machines/own_consent.py": "web/machines/test_consent_record.py",
    "web/machines/body.py": "web/machines/test_token.py",
    "web/sign_in/*.py": "web/sign_in/test_views.py",
    "web/text/account_words.py": "web/consent/test_accounts.py",
    "web/text/wording.py": "test_catalogues.py",
}


def without_a_test_of_its_name() -> set[str]:
    files = {file.relative_to(APP) for file in APP.rglob("*.py") if file.read_bytes().count(b"\n") > SHORT}
    return {str(file) for file in files if not (TESTS / file.parent / f"test_{file.name}").exists()}


def test_every_file_has_a_test_of_its_name_or_is_named_here() -> None:
    files = without_a_test_of_its_name()
    assert {file for file in files if not any(fnmatch(file, named) for named in ELSEWHERE)} == set()


def test_what_is_named_here_is_there_and_has_no_test_of_its_name() -> None:
    files = without_a_test_of_its_name()
    assert [named for named in ELSEWHERE if not any(fnmatch(file, named) for file in files)] == []
    assert [test for test in ELSEWHERE.values() if not (TESTS / test).exists()] == []
