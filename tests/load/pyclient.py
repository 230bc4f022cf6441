"""The load client where there is no C compiler: the commands and answers of
``loadclient/main.c``.

Slower than the server it measures when fan-outs are wide, so its figures are a lower bound.
"""

import json
import os
import selectors
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load.histogram import Histogram
from load.pypeers import Peer, Sender, Subscriber, Tally, die

_POST = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)


class Loop:
    """The connections, and the commands that they serve."""

    def __init__(self, port: str, ws_path: str, post_path: str) -> None:
        self.port, self.ws_path, self.post_path = int(port), ws_path, post_path
        self.selector: selectors.BaseSelector = selectors.DefaultSelector()
        self.commands: deque[str] = deque()
        self.typing = b""
        self.subscribe = self.alert = ""
        self.subscribers: list[Subscriber] = []
        self.live: set[Subscriber] = set()
        self.sizes = [0]
        self.cursors = False
        self.dropped = self.errors = 0
        self.opening = Histogram()
        self.run = Tally(0, 1)

    def complain(self, what: str, data: bytes) -> None:
        self.errors += 1
        if self.errors <= 5:
            print(f"pyclient: {what}: {data[:300]!r}", file=sys.stderr)

    def pump(self, seconds: float) -> None:
        for key, _ in self.selector.select(max(0.0, seconds)):
            if isinstance(key.data, Peer):
                key.data.readable()
            else:
                self.typed()

    def typed(self) -> None:
        data = os.read(sys.stdin.fileno(), 1 << 16)
        if not data:
            self.selector.unregister(sys.stdin)
            self.commands.append("quit")
            return
        *lines, self.typing = (self.typing + data).split(b"\n")
        self.commands.extend(line.decode() for line in lines)

    def do_close(self) -> None:
        for subscriber in self.subscribers:
            if subscriber.stage != "gone":
                subscriber.drop()
        self.subscribers = []
        self.live = set()

    def do_connect(
        self, count: int, in_flight: int, groups: int, cursors: int, seconds: float
    ) -> dict[str, Any]:
        self.do_close()
        self.dropped = self.errors = 0
        self.opening, self.sizes, self.cursors = Histogram(), [0] * groups, bool(cursors)
        cpu, began = time.process_time(), time.monotonic()
        while len(self.live) < count and time.monotonic() < began + seconds and not self.dropped:
            while len(self.subscribers) < min(count, len(self.live) + in_flight):
                group = len(self.subscribers) % groups
                self.sizes[group] += 1
                self.subscribers.append(Subscriber(self, group))
            self.pump(0.1)
        return {
            "connected": len(self.live),
            "wanted": count,
            "seconds": time.monotonic() - began,
            "errors": self.errors,
            "cpu": time.process_time() - cpu,
            "opening": self.opening.report(),
        }

    def issue(self, sender: Sender, batch: int, due: int) -> None:
        run, groups = self.run, len(self.sizes)
        alerts = []
        for _ in range(batch):
            group = run.counts["events"] % groups
            run.counts["events"] += 1
            mark = f"bench:{run.number}:{group}:{run.issued[group]}:{due}"
            run.issued[group] += 1
            run.expected += self.sizes[group]
            sender.groups.append(group)
            alerts.append(self.alert.replace("@G@", str(group)).replace("@T@", mark))
        body = alerts[0] if batch == 1 else f'{{"alerts":[{",".join(alerts)}]}}'
        head = _POST.format(path=self.post_path, port=self.port, length=len(body))
        sender.started = time.monotonic_ns()
        run.in_flight += 1
        sender.sock.sendall((head + body).encode())

    def do_run(
        self,
        count: int,
        batch: int,
        requests: int,
        seconds: float,
        rate: float,
        lockstep: int,
        grace: float,
    ) -> dict[str, Any]:
        run = self.run = Tally(self.run.number + 1, len(self.sizes))
        self.errors = 0
        for subscriber in self.subscribers:
            subscriber.seen = set()
        senders = [Sender(self) for _ in range(count)]
        cpu, began = time.process_time(), time.monotonic_ns()
        sent = round_began = 0
        while True:
            now = time.monotonic_ns()
            if round_began and run.quiet:
                run.end_round(round_began)
                round_began = 0
            if sent >= requests or now >= began + seconds * 1e9:
                break
            for sender in senders:
                due = began + int(sent / rate * 1e9) if rate else now
                if sender.groups or round_began or sent >= requests or due > now:
                    continue
                round_began = now if lockstep else 0
                self.issue(sender, batch, due if rate else time.monotonic_ns())
                sent += 1
            ahead = began / 1e9 + sent / rate - time.monotonic() if rate else 0.05
            self.pump(min(0.05, ahead) if ahead > 0 else 0.001)
        self.drain(grace)
        cpu = time.process_time() - cpu
        if round_began and run.quiet:
            run.end_round(round_began)
        for sender in senders:
            if sender.groups:  # no answer in time: failed, not lost
                sender.answered(b"")
        linger = time.monotonic() + 0.1
        while time.monotonic() < linger:  # what comes now came twice
            self.pump(0.01)
        for sender in senders:
            sender.drop()
        lost = self.owed()
        return {
            "seconds": max(0, max(run.last, run.last_ack) - began) / 1e9,
            **run.counts,
            "lost": lost,
            "errors": self.errors,
            "dropped": self.dropped,
            "cpu": cpu,
            "delivery": run.delivery.report(),
            "accepted": run.accepted.report(),
            "post": run.post.report(),
            "round": run.round.report(),
            "fanout": run.fanout.report(),
        }

    def drain(self, grace: float) -> None:
        """Late is not lost: wait as long as something comes, and ``grace`` seconds more."""
        run, had = self.run, -1
        patience = limit = time.monotonic() + grace * 10
        while not run.quiet and time.monotonic() < min(patience, limit):
            come = run.counts["deliveries"] + run.post.count
            if come != had:
                had, patience = come, time.monotonic() + grace
            self.pump(0.01)

    def do_settle(self, seconds: float) -> dict[str, Any]:
        """Wait until everybody has all that was acknowledged in the last run."""
        began, lost = time.monotonic(), self.owed()
        while lost and time.monotonic() < began + seconds:
            self.pump(0.01)
            lost = self.owed()
        counts = self.run.counts
        return {
            "seconds": time.monotonic() - began,
            "lost": lost,
            **{name: counts[name] for name in ("deliveries", "repeated", "disordered", "foreign")},
            "errors": self.errors,
            "dropped": self.dropped,
        }

    def owed(self) -> int:
        acked = self.run.acked
        return sum(max(0, acked[one.group] - len(one.seen)) for one in self.subscribers)

    def execute(self, line: str) -> dict[str, Any]:
        name, _, rest = line.partition(" ")
        words = (
            [float(word) if "." in word else int(word) for word in rest.split()[:7]]
            if (name in ("connect", "run"))
            else []
        )
        if name == "connect":
            return self.do_connect(*words)  # type: ignore[arg-type]
        if name == "run":
            return self.do_run(*words)  # type: ignore[arg-type]
        if name == "settle":
            return self.do_settle(float(rest))
        if name == "subscribe":
            self.subscribe = rest
        elif name == "alert":
            self.alert = rest
        elif name == "close":
            self.do_close()
        else:
            die(f"unknown command: {name}")
        return {}

    def serve(self) -> None:
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        while True:
            while not self.commands:
                self.pump(1.0)
            line = self.commands.popleft()
            if line == "quit":
                return
            print(json.dumps(self.execute(line)), flush=True)


if __name__ == "__main__":
    Loop(*sys.argv[1:4]).serve()
