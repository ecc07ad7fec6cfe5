"""The worker and the log that gunicorn.conf.py names, and gunicorn imports when it has read that file."""
