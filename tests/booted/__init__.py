"""The units under a systemd of their own, booted from this machine's packages: root, and `make test-systemd`."""
