"""`python -m examples.harbour PORT`, on loopback."""

import os
import sys

from werkzeug.serving import run_simple

from examples.harbour.app import create_app

if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # it is reached at http://localhost
    run_simple("127.0.0.1", int(sys.argv[1]), create_app(), threaded=True)
