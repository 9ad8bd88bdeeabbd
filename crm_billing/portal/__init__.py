"""Everything the portal needs, run by one process on one machine: `manage.py portal`."""
