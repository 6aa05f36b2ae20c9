"""REST in front of a gRPC server of gRPC's own: paths, queries and bodies, streams both ways, errors with details."""
import concurrent.futures
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402

ANNOTATIONS = """syntax = "proto3";
package google.api;
import "google/api/http.proto";
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { HttpRule http = 72295728; }
"""
SHELVES = """syntax = "proto3";
package shelves;
import "google/api/annotations.proto";
message Book { string name = 1; string title = 2; repeated string tags = 3; int64 pages = 4; }
message Find { string shelf = 1; int32 limit = 2; repeated string tags = 3; }
message Put { string shelf = 1; Book book = 2; }
message Count { int32 books = 1; }
service Shelves {
  rpc Get(Find) returns (Book) { option (google.api.http) = { get: "/v1/{shelf=shelves/*}" }; }
  rpc Create(Put) returns (Book) { option (google.api.http) = { post: "/v1/{shelf=shelves/*}/books" body: "book" }; }
  rpc List(Find) returns (stream Book) { option (google.api.http) = { get: "/v1/{shelf=shelves/*}/books" }; }
  rpc Upload(stream Book) returns (Count) { option (google.api.http) = { post: "/v1/books:upload" body: "*" }; }
}
"""


class Shelves:
    """The server. What it is asked for decides what it answers."""

    def __init__(self, descriptor_set):
        import grpc
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

        pool = descriptor_pool.DescriptorPool()
        with open(descriptor_set, "rb") as file:
            for proto in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
                pool.Add(proto)
        factory = message_factory.MessageFactory(pool)

        def kind(name):
            return factory.GetPrototype(pool.FindMessageTypeByName("shelves." + name))

        self.book, self.count = kind("Book"), kind("Count")
        encode = lambda message: message.SerializeToString()  # noqa: E731
        handlers = {
            "Get": grpc.unary_unary_rpc_method_handler(self.get, kind("Find").FromString, encode),
            "Create": grpc.unary_unary_rpc_method_handler(self.create, kind("Put").FromString, encode),
            "List": grpc.unary_stream_rpc_method_handler(self.list, kind("Find").FromString, encode),
            "Upload": grpc.stream_unary_rpc_method_handler(self.upload, kind("Book").FromString, encode),
        }
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shelves.Shelves", handlers),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def get(self, request, context):
        import grpc

        if request.shelf == "shelves/none":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such shelf")
        return self.book(name=request.shelf, tags=request.tags, pages=request.limit)

    def create(self, request, context):
        return self.book(name=request.shelf + "/books/1", title=request.book.title, tags=request.book.tags)

    def list(self, request, context):
        for number in range(request.limit):
            yield self.book(name=f"{request.shelf}/{number}")

    def upload(self, requests, context):
        return self.count(books=sum(1 for _ in requests))

    def stop(self):
        self.server.stop(None).wait()


class TranscodingTest(SluiceTestCase):
    def proxy(self, **fields):
        self.scratch.write("google/api/annotations.proto", ANNOTATIONS)
        shelves = self.scratch.write("shelves.proto", SHELVES)
        descriptor_set = self.scratch.join("shelves.pb")
        subprocess.run(
            ["protoc", f"-I{self.scratch.path}", f"-I{TOP}/api", "--include_imports",
             f"--descriptor_set_out={descriptor_set}", shelves],
            check=True,
        )  # fmt: skip
        self.upstream = self.start(Shelves(descriptor_set))
        transcoder = {
            "name": "envoy.filters.http.grpc_json_transcoder",
            "typed_config": {
                "@type": config.TYPE + "envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
                "proto_descriptor": descriptor_set,
                "services": ["shelves.Shelves"],
                **fields,
            },
        }
        listener = httpListener("http", [route("up", prefix="/shelves.Shelves/")], filters=[transcoder])
        up = cluster("up", self.upstream.port, **HTTP2)
        return self.start(Sluice(self.scratch, bootstrap([listener], [up]))).port("http")

    def ask(self, port, method, path, body=b""):
        response = request(port, method, path, headers=[("content-type", "application/json")], body=body)
        return response.status, json.loads(response.body or b"null")

    def test_paths_queries_and_bodies_reach_the_method_and_its_answer_comes_back(self):
        port = self.proxy()

        self.assertEqual(
            self.ask(port, "GET", "/v1/shelves/a?limit=3&tags=x&tags=y%20z"),
            (200, {"name": "shelves/a", "tags": ["x", "y z"], "pages": "3"}),
        )
        self.assertEqual(
            self.ask(port, "POST", "/v1/shelves/a/books", json.dumps({"title": "t", "tags": ["u"]}).encode()),
            (200, {"name": "shelves/a/books/1", "title": "t", "tags": ["u"]}),
        )

    def test_streams_go_both_ways(self):
        port = self.proxy()

        status, books = self.ask(port, "GET", "/v1/shelves/a/books?limit=50")
        self.assertEqual((status, len(books), books[49]), (200, 50, {"name": "shelves/a/49"}))
        self.assertEqual(self.ask(port, "GET", "/v1/shelves/a/books"), (200, []))
        many = json.dumps([{"name": str(i)} for i in range(100)]).encode()
        self.assertEqual(self.ask(port, "POST", "/v1/books:upload", [many[:50], many[50:]]), (200, {"books": 100}))

    def test_errors_are_statuses_and_json_if_that_is_wanted(self):
        port = self.proxy(
            convert_grpc_status=True,
            request_validation_options={"reject_unknown_method": True, "reject_unknown_query_parameters": True},
        )

        self.assertEqual(self.ask(port, "GET", "/v1/shelves/none"), (404, {"code": 5, "message": "no such shelf"}))
        statuses = [
            request(port, method, path, body=body).status
            for method, path, body in (
                ("GET", "/v1/nothing", b""),
                ("GET", "/v1/shelves/a?no=1", b""),
                ("POST", "/v1/shelves/a/books", b"{"),
                ("POST", "/v1/shelves/a/books", b'{},"shelf":"other"'),
                ("POST", "/v1/books:upload", b"[{}"),
            )
        ]
        self.assertEqual(statuses, [404, 400, 400, 400, 400])


if __name__ == "__main__":
    unittest.main()
