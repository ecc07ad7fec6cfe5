"""Many visitors at once, in a process of their own: `python -m tests.faults.visitors PORT NUMBER`.

Each asks again as soon as there is an answer; whoever is turned away comes back after a second, although told to
wait for longer. Closing standard input ends it, and it prints how many were turned away and told when to come back.
"""

import http.client
import sys
import threading

from tests.support.builders import a_query


def main(port: int, number: int) -> None:
    stop = threading.Event()
    turned_away: list[str] = []

    def visit() -> None:
        while not stop.is_set():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
                connection.request("GET", f"/api/v1/authorize?{a_query()}", headers={"Connection": "close"})
                answer = connection.getresponse()
                connection.close()
            except (OSError, http.client.HTTPException):
                stop.wait(1)
                continue
            if answer.status == http.client.SERVICE_UNAVAILABLE:
                turned_away.append(answer.headers["Retry-After"])
                stop.wait(1)

    threads = [threading.Thread(target=visit, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(len(turned_away))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
