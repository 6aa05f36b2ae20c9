"""REST in front of a gRPC server of gRPC's own, on free ports."""
import http.client
import json
import os
import subprocess
import sys
import unittest

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../.."))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(TOP, "test/support"))
import library  # noqa: E402
from harness import Sluice, SluiceTestCase, exampleConfig, waitFor  # noqa: E402

POEMS = "/v1/shelves/poems/books"
LEAVES = {"name": "shelves/poems/books/1", "title": "Leaves of Grass", "authors": ["Walt Whitman"], "pages": "95"}


class RestToGrpcTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        descriptors = self.scratch.join("library.pb")
        subprocess.run(
            ["protoc", "-I", HERE, "-I", os.path.join(TOP, "api"), "--include_imports",
             "--descriptor_set_out=" + descriptors, "library.proto"], check=True)  # fmt: skip
        self.library = self.start(library.Library(descriptors))
        text = exampleConfig(HERE, {"50051": self.library.port})
        self.sluice = self.start(Sluice(self.scratch, text.replace("examples/rest_to_grpc/library.pb", descriptors)))
        self.port = self.sluice.port("library")

    def ask(self, method, path, body=None):
        """(status, content-type, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body)
        answer = connection.getresponse()
        told = answer.status, answer.getheader("content-type"), answer.read()
        connection.close()
        return told

    def json(self, *request):
        status, kind, body = self.ask(*request)
        self.assertEqual(kind, "application/json")
        return status, json.loads(body)

    def test_each_request_of_the_readme_is_a_call(self):
        self.assertEqual(self.json("GET", POEMS + "/1"), (200, LEAVES))
        status, books = self.json("GET", POEMS + "?author=William%20Blake&limit=5")
        self.assertEqual((status, [book["title"] for book in books]), (200, ["Songs of Innocence"]))
        self.assertEqual(len(self.json("GET", POEMS)[1]), 2)
        self.assertEqual(self.json("GET", "/v1/shelves/empty/books"), (200, []))
        status, made = self.json("POST", POEMS, '{"title": "The Prelude", "authors": ["William Wordsworth"], "pages": 120}')
        self.assertEqual((status, made["name"], made["pages"]), (200, "shelves/poems/books/3", "120"))
        self.assertEqual(self.json("DELETE", POEMS + "/3"), (200, {}))
        self.assertEqual(self.json("GET", POEMS + "/3")[0], 404)

    def test_errors_of_the_service_are_http_statuses_and_json(self):
        status, error = self.json("GET", POEMS + "/9")
        self.assertEqual((status, error["code"], error["message"]), (404, 5, "there is no shelves/poems/books/9"))
        status, error = self.json("POST", POEMS, "{}")
        self.assertEqual((status, error["message"]), (400, "a book needs a title"))

    def test_what_the_service_does_not_have_is_refused_before_it(self):
        cases = [
            ("POST", POEMS, '{"title": [7]}', 400, b"title"),
            ("POST", POEMS, '{"title": "The', 400, b"JSON"),
            ("GET", POEMS + "?colour=red", None, 400, b"colour"),
            ("GET", POEMS + "?limit=many", None, 400, b"limit"),
            ("PUT", POEMS + "/1", None, 404, b"no method"),
            ("GET", "/v2/shelves", None, 404, b"no method"),
        ]
        for method, path, body, status, said in cases:
            with self.subTest(path=path, body=body):
                answer = self.ask(method, path, body)
                self.assertEqual(answer[0], status)
                self.assertIn(said, answer[2])
        self.assertEqual(self.sluice.stat("cluster.library.upstream_rq_total"), 0)
        self.assertEqual(self.json("GET", POEMS + "/1")[0], 200)

    def test_a_grpc_client_is_served_by_the_same_listener(self):
        name, book = self.library.messages["library.BookName"], self.library.messages["library.Book"]
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            call = channel.unary_unary("/library.Library/GetBook", name.SerializeToString, book.FromString)
            self.assertEqual(call(name(name="shelves/poems/books/1"), timeout=10).title, "Leaves of Grass")
            with self.assertRaises(grpc.RpcError) as raised:
                call(name(name="shelves/poems/books/9"), timeout=10)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_the_log_has_both_paths(self):
        self.ask("GET", POEMS + "/1")

        waitFor(lambda: f"GET {POEMS}/1 /library.Library/GetBook 200 grpc=OK" in self.sluice.log(), "the entry of the call")


if __name__ == "__main__":
    unittest.main()
