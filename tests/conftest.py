from crm_billing import embedded


def pytest_configure(config):
    embedded.ensure_started()
