from crm_billing import embedded
from tests.fake_gateway import fake_gateway, sandbox_keys  # noqa: F401


def pytest_configure(config):
    embedded.ensure_started()
