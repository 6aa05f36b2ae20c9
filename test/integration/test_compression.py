"""Compression in a running proxy, read by curl and by Python: every coding, answers that come bit by bit, bombs."""
import gzip
import json
import os
import sys
import threading
import unittest
import zlib

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.client import curl, rawConnection, readResponse, reader, requestBytes  # noqa: E402

JSON = json.dumps([{"id": i, "name": f"name of {i}"} for i in range(2000)]).encode()
CODINGS = {"gzip": ("gzip", "Gzip"), "br": ("brotli", "Brotli"), "zstd": ("zstd", "Zstd")}


def libraryOf(kind, coding, **fields):
    folder, message = CODINGS[coding]
    return {
        "name": coding,
        "typed_config": {"@type": f"{config.TYPE}envoy.extensions.compression.{folder}.{kind}.v3.{message}", **fields},
    }


def compressor(coding, library=(), **fields):
    return {
        "name": f"compressor-{coding}",
        "typed_config": {
            "@type": config.TYPE + "envoy.extensions.filters.http.compressor.v3.Compressor",
            "compressor_library": libraryOf("compressor", coding, **dict(library)),
            "response_direction_config": {"common_config": {"content_type": ["application/json", "text/event-stream"]}},
            **fields,
        },
    }


def decompressor(coding, **fields):
    return {
        "name": f"decompressor-{coding}",
        "typed_config": {
            "@type": config.TYPE + "envoy.extensions.filters.http.decompressor.v3.Decompressor",
            "decompressor_library": libraryOf("decompressor", coding),
            **fields,
        },
    }


class CompressionCase(SluiceTestCase):
    def proxy(self, filters, upstream, routes=None):
        self.upstream = self.start(upstream)
        listener = httpListener("http", routes or [route("up")], filters=filters)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", self.upstream.port)])))
        return self.sluice.port("http")


def jsonAnswer(request):
    return Reply(body=JSON, headers=[("content-type", "application/json"), ("etag", '"1"')])


class CompressorTest(CompressionCase):
    def test_curl_reads_each_coding(self):
        port = self.proxy([compressor(coding) for coding in CODINGS], HttpUpstream(jsonAnswer))
        for coding in CODINGS:
            with self.subTest(coding=coding):
                accept = ("-H", f"accept-encoding: {coding}")
                url = f"http://127.0.0.1:{port}/"
                self.assertEqual(curl("--compressed", *accept, url), (0, JSON))
                encoded = get(port, headers=[("accept-encoding", coding)])
                self.assertLess(len(encoded.body), len(JSON) // 4)
                self.assertEqual(encoded.header("content-encoding"), coding)
                self.assertEqual(encoded.header("vary"), "accept-encoding")
                self.assertIsNone(encoded.header("etag"))

    def test_who_accepts_nothing_gets_it_as_it_is(self):
        port = self.proxy([compressor("gzip")], HttpUpstream(jsonAnswer))

        answer = get(port)

        self.assertEqual((answer.body, answer.header("etag"), answer.header("vary")), (JSON, '"1"', "accept-encoding"))
        self.assertEqual(self.sluice.stat("http.http.compressor.gzip.gzip.no_accept_header"), 1)

    def test_a_route_can_choose_another_coding_or_none(self):
        name = "compressor-gzip"
        per_route = config.TYPE + "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute"
        zstd = {"@type": per_route, "overrides": {"compressor_library": libraryOf("compressor", "zstd")}}
        off = {"@type": per_route, "disabled": True}
        routes = [
            {**route("up", prefix="/zstd"), "typed_per_filter_config": {name: zstd}},
            {**route("up", prefix="/off"), "typed_per_filter_config": {name: off}},
            route("up"),
        ]
        port = self.proxy([compressor("gzip")], HttpUpstream(jsonAnswer), routes)
        accept = [("accept-encoding", "gzip, zstd")]

        codings = [get(port, path, accept).header("content-encoding") for path in ("/", "/zstd", "/off")]

        self.assertEqual(codings, ["gzip", "zstd", None])

    def test_an_event_is_with_the_client_before_the_next_one_is_sent(self):
        read = threading.Event()

        def script(sock, number):
            source = reader(sock)
            while source.line():
                pass
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            sock.sendall(b"9\r\ndata: 1\n\n\r\n")
            if read.wait(10):
                sock.sendall(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

        port = self.proxy([compressor("gzip")], RawUpstream(script))
        with rawConnection(port) as sock:
            sock.sendall(requestBytes("GET", "/", [("accept-encoding", "gzip")]))
            source = reader(sock)
            while source.line():
                pass
            inflater = zlib.decompressobj(31)
            text = b""
            while text != b"data: 1\n\n":
                size = int(source.line(), 16)
                text += inflater.decompress(source.exactly(size + 2)[:size])
            read.set()
            while True:
                size = int(source.line(), 16)
                piece = source.exactly(size + 2)[:size]
                if size == 0:
                    break
                text += inflater.decompress(piece)
            self.assertEqual((text, inflater.eof), (b"data: 1\n\ndata: 2\n\n", True))

    def test_a_request_is_compressed_for_the_upstream(self):
        port = self.proxy([compressor("gzip", request_direction_config={})], HttpUpstream())

        request(port, "POST", "/", headers=[("content-type", "application/json")], body=JSON)

        seen = self.upstream.next()
        self.assertEqual((seen.header("content-encoding"), gzip.decompress(seen.body)), ("gzip", JSON))


class DecompressorTest(CompressionCase):
    def test_a_request_is_decoded(self):
        port = self.proxy([decompressor("gzip")], HttpUpstream())

        request(port, "POST", "/", headers=[("content-encoding", "gzip")], body=gzip.compress(JSON))

        seen = self.upstream.next()
        self.assertEqual((seen.header("content-encoding"), seen.body), (None, JSON))

    def test_a_response_is_decoded_for_a_client_that_accepts_nothing(self):
        def answer(request):
            self.assertEqual(request.header("accept-encoding"), "gzip")
            return Reply(body=gzip.compress(JSON), headers=[("content-encoding", "gzip")])

        port = self.proxy([decompressor("gzip")], HttpUpstream(answer))

        response = get(port)

        self.assertEqual((response.header("content-encoding"), response.body), (None, JSON))

    def test_bombs_and_what_is_no_gzip_are_refused(self):
        port = self.proxy([decompressor("gzip")], HttpUpstream())
        bodies = [gzip.compress(bytes(10 << 20)), b"no gzip at all", gzip.compress(JSON)[:-5]]

        statuses = [request(port, "POST", "/", headers=[("content-encoding", "gzip")], body=body).status for body in bodies]

        self.assertEqual(statuses, [400, 400, 400])
        self.assertEqual(self.sluice.stat("http.http.decompressor.gzip.gzip.decompressor_library.zlib_data_error"), 2)
        self.assertEqual(get(port).status, 200)


if __name__ == "__main__":
    unittest.main()
