"""How to serve the example: `gunicorn -c examples/recipient/gunicorn_conf.py` and the app's name, from the
repository's root. Without -c, gunicorn takes Accord's own gunicorn.conf.py."""

import os

bind = f"127.0.0.1:{os.environ.get('ACCORD_RECIPIENT_PORT', '8001')}"
workers = 1  # connections are kept in this process's memory: see connections.py
threads = 8
accesslog = None  # a callback's address holds the code
control_socket_disable = True
