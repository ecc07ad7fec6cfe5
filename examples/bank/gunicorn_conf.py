"""How to serve the example: `gunicorn -c examples/bank/gunicorn_conf.py` and the app's name, from the
repository's root. Without -c, gunicorn takes Accord's own gunicorn.conf.py."""

import os

bind = f"127.0.0.1:{os.environ.get('ACCORD_BANK_PORT', '8003')}"
workers = 1
threads = 8
accesslog = None  # an address has the ids of accounts
control_socket_disable = True
