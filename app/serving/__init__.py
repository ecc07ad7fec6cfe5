"""What gunicorn.conf.py takes from the application: the worker, the log and the reload."""
