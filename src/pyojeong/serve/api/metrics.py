"""Figures of a running server in the text format of Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from pyojeong._version import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """What is counted; one object for each server, so that tests do not share them."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        ProcessCollector(registry=r)
        PlatformCollector(registry=r)
        GCCollector(registry=r)
        self.requests = Counter(
            "pyojeong_requests", "Requests, by route and status.", ["route", "status"], registry=r
        )
        self.seconds = Histogram(
            "pyojeong_request_seconds",
            "From the head of a request to the end of its response.",
            ["route"],
            buckets=_SECONDS,
            registry=r,
        )
        self.open_requests = Gauge("pyojeong_open_requests", "Requests at present.", registry=r)
        self.refused = Counter(
            "pyojeong_refused", "Requests that a limit refused, by limit.", ["limit"], registry=r
        )
        self.images = Counter(
            "pyojeong_images", "Images: read, or failed.", ["outcome"], registry=r
        )
        self.faces = Counter("pyojeong_faces", "Faces that were found.", registry=r)
        self.batch = Histogram(
            "pyojeong_batch_images", "Images of a batch.", buckets=(1, 2, 4, 8, 16), registry=r
        )
        self.waiting = Gauge("pyojeong_waiting_images", "Images that wait.", registry=r)
        self.work = Histogram(
            "pyojeong_batch_seconds", "Time to read a batch.", buckets=_SECONDS, registry=r
        )
        self.buffered = Gauge("pyojeong_buffered_bytes", "Bytes of bodies in memory.", registry=r)
        self.streams = Gauge("pyojeong_streams", "Open streams.", registry=r)
        self.frames = Counter(
            "pyojeong_stream_frames",
            "Frames of streams: answered, dropped for a newer one, or failed.",
            ["outcome"],
            registry=r,
        )
        self.videos = Gauge("pyojeong_videos", "Clips, by state.", ["state"], registry=r)
        about = Gauge("pyojeong_build", "Always 1; its label is the version.", ["version"],
                      registry=r)  # fmt: skip
        about.labels(__version__).set(1)

    def text(self) -> bytes:
        """Return all figures."""
        return generate_latest(self.registry)
