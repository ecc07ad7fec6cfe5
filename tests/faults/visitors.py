"""Many visitors at once, in a process of their own: `python -m tests.faults.visitors PORT AUTHORITY NUMBER`.

Each keeps a connection to nginx, as a browser does, and asks again as soon as there is an answer; whoever is turned away comes back after a second, although told to
wait for longer. Closing standard input ends it, and it prints how many were turned away and told when to come back.
"""

import http.client
import os
import ssl
import sys
import threading

from tests.support.builders import a_query


def main(port: int, authority: str, number: int) -> None:
    os.nice(10)  # visitors have machines of their own
    trust = ssl.create_default_context(cafile=authority)
    stop = threading.Event()
    turned_away: list[str] = []

    def visit() -> None:
        connection = http.client.HTTPSConnection("localhost", port, timeout=15, context=trust)
        while not stop.is_set():
            try:
                connection.request("GET", f"/api/v1/authorize?{a_query()}")
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                stop.wait(1)
                continue
            if answer.status == http.client.SERVICE_UNAVAILABLE:
                turned_away.append(answer.headers["Retry-After"])
                stop.wait(1)
        connection.close()

    threads = [threading.Thread(target=visit, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(len(turned_away))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
