"""`pyojeong serve` under load: latency, throughput, 200 mixed clients, a stream of frames.

    python -m benchmarks.serve_load --pictures FOLDER --out docs/benchmarks/serve.json

Servers are started on loopback and end with the command. Server and Analyzer are measured in turns
in one run, so that what else the machine does meets both. Clients speak HTTP over plain sockets
and share the CPUs with the server.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from pyojeong import Analyzer
from pyojeong.runtime.golden import GOLDEN_PICTURE

LIMIT = 2_000_000
"""Largest body of the server of the mixed load."""
STATUSES = {200, 400, 404, 408, 413, 415, 422, 429}
"""What the documents allow."""


@contextmanager
def server(*options):
    """Start a server; yields (port, process)."""
    command = [sys.executable, "-m", "pyojeong", "serve", "--port", "0", "--no-log-requests"]
    process = subprocess.Popen([*command, *map(str, options)], stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        port = int(process.stdout.readline().rpartition(":")[2])
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


def request_of(data, name="photo.jpg", path="/v1/analyze"):
    """A whole request with one image."""
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + b"\r\n--b--\r\n"
    return head_of(len(body), path) + body


def head_of(length, path="/v1/analyze", kind="multipart/form-data; boundary=b"):
    """The head of a request."""
    text = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    return f"{text}Content-Length: {length}\r\n\r\n".encode()


class Client:
    """One connection that stays open."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """Status and body."""
        self.socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        length = int(data[:end].lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(data) < end + 4 + length:
            data += self._more()
        return int(data[9:12]), data[end + 4 :]

    def _more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError
        return data


def percentile(values, share):
    """The value below which a share of them lies."""
    return float(np.percentile(values, 100 * share))


def latency(rounds):
    """Times of one 512 px photograph: the Analyzer's and the server's, in turns."""
    data = GOLDEN_PICTURE.read_bytes()
    analyzer = Analyzer(threads=1)
    request = request_of(data)
    own, served = [], []
    with server("--jobs", 1, "--threads", 1) as (port, _):
        client = Client(port)
        for i in range(rounds + 20):
            for times, action in ((own, lambda: analyzer.analyze(data)),
                                  (served, lambda: client.ask(request))):  # fmt: skip
                started = time.perf_counter()
                answer = action()
                if i >= 20:
                    times.append(1000 * (time.perf_counter() - started))
            if answer[0] != 200:
                raise SystemExit(f"status {answer[0]}")
    out = {"rounds": rounds}
    for name, times in (("analyzer", own), ("server", served)):
        out[name] = {"median_ms": statistics.median(times), "p99_ms": percentile(times, 0.99)}
    differences = [b - a for a, b in zip(own, served, strict=True)]
    out["median_of_differences_ms"] = statistics.median(differences)
    out["added_ms"] = out["server"]["median_ms"] - out["analyzer"]["median_ms"]
    out["p99_ratio"] = out["server"]["p99_ms"] / out["analyzer"]["p99_ms"]
    return out


def throughput(files, rounds, clients=16):
    """Images a second of 16 clients and of `analyze_files`, in turns."""
    analyzer = Analyzer(threads=1)
    requests = [request_of(Path(f).read_bytes()) for f in files]
    own, served = [], []
    with server("--jobs", 2) as (port, _):
        _all_at_once(port, clients, requests[: 2 * clients])  # warm-up
        list(analyzer.analyze_files(files[: 2 * clients], jobs=2))
        for _ in range(rounds):
            started = time.perf_counter()
            list(analyzer.analyze_files(files, jobs=2))
            own.append(len(files) / (time.perf_counter() - started))
            started = time.perf_counter()
            _all_at_once(port, clients, requests)
            served.append(len(files) / (time.perf_counter() - started))
    ratios = [b / a for a, b in zip(own, served, strict=True)]
    return {
        "images": len(files),
        "rounds": rounds,
        "clients": clients,
        "analyze_files_per_s": statistics.median(own),
        "server_per_s": statistics.median(served),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def _all_at_once(port, clients, requests):
    """Send requests over so many connections at once."""
    local = threading.local()

    def ask(request):
        if not hasattr(local, "client"):
            local.client = Client(port)
        return local.client.ask(request)[0]

    with ThreadPoolExecutor(clients) as pool:
        statuses = Counter(pool.map(ask, requests))
    if set(statuses) != {200}:
        raise SystemExit(f"statuses {statuses}")


class Mixed:
    """Clients of many kinds at once; answers are compared with the Analyzer's."""

    def __init__(self, port, valid, seconds, seed=0):
        self.port, self.valid, self.seconds = port, valid, seconds
        self.random = random.Random(seed)  # noqa: S311
        self.statuses = {}
        self.wrong, self.errors = [], Counter()

    async def run(self, clients):
        """Run all clients to the end of the time."""
        kinds = [self.valid_one] * 120 + [self.broken] * 30 + [self.oversized] * 20
        kinds += [self.slow] * 20 + [self.leaving] * 10
        self.until = time.monotonic() + self.seconds
        await asyncio.gather(*(self.client(kinds[i % len(kinds)]) for i in range(clients)))

    async def client(self, kind):
        """One client: a request after the other."""
        await asyncio.sleep(self.random.random())
        while time.monotonic() < self.until:
            try:
                status = await kind()
            except Exception as error:
                self.errors[f"{kind.__name__}: {type(error).__name__}"] += 1
                status = None
            self.statuses.setdefault(kind.__name__, Counter())[status] += 1
            if status == 429:
                await asyncio.sleep(1 + self.random.random())

    async def ask(self, *parts, pause_s=0.0):
        """Send parts and return status and body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                if pause_s:
                    await asyncio.sleep(pause_s)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            return int(head[9:12]), await reader.readexactly(length)
        finally:
            writer.close()

    async def valid_one(self):
        """A photograph; its answer is compared."""
        request, wanted = self.random.choice(self.valid)
        status, body = await self.ask(request)
        if status == 200 and json.loads(body)["results"][0] != wanted:
            self.wrong.append(body)
        return status

    async def broken(self):
        """No image, a torn one, no form, an unknown model, another content type."""
        data = GOLDEN_PICTURE.read_bytes()
        choices = [
            request_of(b"text"), request_of(b""), request_of(data[:2000]),
            request_of(data, path="/v1/analyze?model=none"),
            head_of(5) + b"--x\r\n", head_of(3, kind="text/plain") + b"abc",
            request_of(data).replace(b'name="file"', b'name="fill"'),
            head_of(2, "/v2/models/default/infer", "application/json") + b"{}",
        ]  # fmt: skip
        return (await self.ask(self.random.choice(choices)))[0]

    async def oversized(self):
        """Too many bytes by the stated length, by what comes, too many pixels, too many files."""
        chunk = b"%x\r\n" % 100_000 + b"\xff" * 100_000 + b"\r\n"
        text = b"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        text += b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        begin = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        choices = [
            (head_of(10**9), b"x" * 1000),
            (text + b"%x\r\n%s\r\n" % (len(begin), begin), *[chunk] * 25),
            (request_of(_huge_png()),),
            (_many_files(),),
        ]
        return (await self.ask(*self.random.choice(choices)))[0]

    async def slow(self):
        """A body in small parts: some come in time, some never end."""
        request, _ = self.random.choice(self.valid)
        parts = [request[i : i + 4000] for i in range(0, len(request), 4000)]
        if self.random.random() < 0.5:
            parts = parts[: len(parts) // 2]
        return (await self.ask(*parts, pause_s=0.2))[0]

    async def leaving(self):
        """Closes the connection half way, or while its image is read."""
        request, _ = self.random.choice(self.valid)
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        whole = self.random.random() < 0.5
        writer.write(request if whole else request[: len(request) // 2])
        await writer.drain()
        await asyncio.sleep(0.5 * self.random.random())
        writer.close()
        return "left"


def _huge_png():
    import zlib

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks
    )


def _many_files():
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nx\r\n'
    body = part * 1000 + b"--b--\r\n"
    return head_of(len(body)) + body


def memory_mb(process):
    """Resident memory of a process."""
    text = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def mixed_load(files, seconds, clients=200):
    """200 clients of all kinds; memory is sampled twice a second."""
    analyzer = Analyzer(threads=1)
    valid = []
    for file in [*files[:40], str(GOLDEN_PICTURE)]:
        data = Path(file).read_bytes()
        if len(data) < LIMIT // 2:
            wanted = json.loads(json.dumps(analyzer.analyze(data).to_dict()))
            valid.append((request_of(data), {**wanted, "source": "photo.jpg"}))
    options = ("--jobs", 2, "--max-bytes", LIMIT, "--body-timeout", 6, "--idle-timeout", 3)
    memory = []
    with server(*options) as (port, process):
        done = threading.Event()

        def watch():
            started = time.monotonic()
            while not done.wait(0.5):
                memory.append((time.monotonic() - started, memory_mb(process)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        load = Mixed(port, valid, seconds)
        asyncio.run(load.run(clients))
        done.set()
        watcher.join()
        alive = Client(port).ask(valid[0][0])[0] == 200
    settled = [mb for at, mb in memory if at > seconds / 4]
    first = statistics.median(settled[: len(settled) // 4])
    last = statistics.median(settled[-(len(settled) // 4) :])
    total = sum(load.statuses.values(), Counter())
    odd = {str(s): n for s, n in total.items() if s not in STATUSES | {"left"}}
    return {
        "clients": clients,
        "seconds": seconds,
        "requests": sum(total.values()),
        "statuses": {kind: {str(s): n for s, n in sorted(count.items(), key=str)}
                     for kind, count in sorted(load.statuses.items())},
        "undocumented": odd,
        "client_errors": dict(load.errors),
        "wrong_answers": len(load.wrong),
        "answers_compared": load.statuses["valid_one"][200],
        "memory_growth_mb": last - first,
        "memory_range_mb": max(settled) - min(settled),
        "memory_most_mb": max(mb for _, mb in memory),
        "answers_afterwards": alive,
    }  # fmt: skip


async def _stream(port, seconds, rate, message):
    from websockets.asyncio.client import connect

    sent, times, lags = {}, [], []
    async with connect(f"ws://127.0.0.1:{port}/v1/stream", max_size=None, compression=None) as ws:

        async def receive():
            async for text in ws:
                answer = json.loads(text)
                times.append(1000 * (time.perf_counter() - sent[answer["id"]]))
                lags.append(answer["dropped"])

        task = asyncio.create_task(receive())
        started = time.perf_counter()
        for i in range(int(seconds * rate)):
            await asyncio.sleep(max(0, started + i / rate - time.perf_counter()))
            sent[i] = time.perf_counter()
            await ws.send(message(i))
        await asyncio.sleep(0.5)
        task.cancel()
    return times, lags[-1]


def streaming(seconds, rate=30):
    """Milliseconds from frame to answer, 640 x 480, JPEG and raw; LiveReader alone beside it."""
    image = cv2.resize(cv2.imread(str(GOLDEN_PICTURE)), (640, 480))
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    raw = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).tobytes()
    kinds = {
        "jpeg": lambda i: struct.pack("<IHH", i, 0, 0) + jpeg,
        "raw": lambda i: struct.pack("<IHH", i, 640, 480) + raw,
    }
    out = {"seconds": seconds, "rate": rate}
    with server("--jobs", 2) as (port, _):
        for name, message in kinds.items():
            asyncio.run(_stream(port, 2, rate, message))
            times, dropped = asyncio.run(_stream(port, seconds, rate, message))
            quarter = max(len(times) // 4, 1)
            out[name] = {
                "median_ms": statistics.median(times),
                "p95_ms": percentile(times, 0.95),
                "p99_ms": percentile(times, 0.99),
                "answers": len(times),
                "dropped": dropped,
                "first_quarter_ms": statistics.median(times[:quarter]),
                "last_quarter_ms": statistics.median(times[-quarter:]),
            }
    out["reader_alone_ms"] = _reader_alone(image)
    return out


def _reader_alone(image):
    from pyojeong.stream.live import LiveReader, Moment, PixelFrame

    reader = LiveReader(Analyzer(threads=1), "x")
    pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    times = []
    for i in range(100):
        started = time.perf_counter()
        reader.read(Moment(i, i / 30, 0.0, PixelFrame(pixels)))
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def main():
    """Measure what is asked for and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="latency throughput mixed stream")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    files = [str(p) for p in sorted(args.pictures.iterdir())[:200]]
    tasks = {
        "latency": lambda: latency(args.rounds),
        "throughput": lambda: throughput(files, 5),
        "mixed": lambda: mixed_load(files, args.seconds),
        "stream": lambda: streaming(args.seconds / 3),
    }
    out = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
    for name, task in tasks.items():
        if not args.only or name in args.only:
            load = os.getloadavg()[0]
            out[name] = {**task(), "load_before": load, "cpus": os.cpu_count()}
            print(name, json.dumps(out[name], indent=1))
            with tempfile.NamedTemporaryFile("w", dir=args.out.parent, delete=False) as file:
                file.write(json.dumps(out, indent=1) + "\n")
            Path(file.name).replace(args.out)


if __name__ == "__main__":
    main()
