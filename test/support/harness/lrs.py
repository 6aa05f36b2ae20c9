"""A load reporting server that nobody of this repository's C++ had a hand in: Python's gRPC over the same protos."""
import collections
import concurrent.futures
import queue
import threading

from harness.ads import messageClass

SERVICE = "envoy.service.load_stats.v3.LoadReportingService"
LOAD_STATS = "envoy.service.load_stats.v3."


class LoadReports:
    """Asks each stream for the same (fields of LoadStatsResponse in JSON form) and keeps what comes."""

    def __init__(self, **settings):
        import grpc

        self.lock = threading.Lock()
        self.settings = {"load_reporting_interval": "0.1s", "send_all_clusters": True, **settings}
        self.nodes = []  # of each stream
        self.requests = []  # with what came of clusters
        self.calls = set()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=messageClass(LOAD_STATS + "LoadStatsRequest").FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"StreamLoadStats": handler}),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def _response(self):
        from google.protobuf import json_format

        return json_format.ParseDict(self.settings, messageClass(LOAD_STATS + "LoadStatsResponse")())

    def _stream(self, requests, context):
        outbox = queue.Queue()
        with self.lock:
            self.calls.add(context)
        context.add_callback(lambda: outbox.put(None))
        threading.Thread(target=self._read, args=(requests, outbox), daemon=True).start()
        yield from iter(outbox.get, None)
        with self.lock:
            self.calls.discard(context)

    def _read(self, requests, outbox):
        try:
            for number, request in enumerate(requests):
                with self.lock:
                    (self.requests if number else self.nodes).append(request if number else request.node)
                if number == 0:
                    outbox.put(self._response())
        except Exception:  # the stream is gone
            pass
        outbox.put(None)

    def cut(self):
        """Ends all streams."""
        with self.lock:
            calls = list(self.calls)
        for call in calls:
            call.cancel()

    def stats(self, cluster):
        """What came of a cluster, in order."""
        with self.lock:
            return [stats for request in self.requests for stats in request.cluster_stats if stats.cluster_name == cluster]

    def sums(self, cluster):
        """(zone, what) -> the sum over all reports."""
        result = collections.Counter()
        for stats in self.stats(cluster):
            for place in stats.upstream_locality_stats:
                zone = place.locality.zone
                result[zone, "succeeded"] += place.total_successful_requests
                result[zone, "failed"] += place.total_error_requests
                result[zone, "issued"] += place.total_issued_requests
        return +result

    def stop(self):
        self.server.stop(0).wait(5)
