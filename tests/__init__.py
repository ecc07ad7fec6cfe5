"""The tests. They mirror `app/`, use loopback only, and end no process that they have not started."""
