"""Programs that use Accord from outside. Nothing here is imported by `app`."""
