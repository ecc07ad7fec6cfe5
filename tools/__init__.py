"""What the Makefile runs: the environment, the catalogues, the browser. No part of the service."""
