"""The page of the shop as it stands, on free ports."""
import http.client
import json
import os
import re
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import HttpUpstream, Reply, Sluice, SluiceTestCase, exampleConfig, waitFor  # noqa: E402

PAGE = "/pages/product?id=7"


class AggregateTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.together = None  # a barrier of calls
        self.reviews_reply = None  # instead of the file
        self.asked = {}
        self.catalog = self.start(HttpUpstream(lambda request: self.answer("catalog", request)))
        self.reviews = self.start(HttpUpstream(lambda request: self.reviews_reply or self.answer("reviews", request)))
        ports = {"8081": self.catalog.port, "8082": self.reviews.port}
        self.sluice = self.start(Sluice(self.scratch, exampleConfig(HERE, ports)))
        self.port = self.sluice.port("shop")

    def answer(self, service, request):
        """A file of the service's folder."""
        self.asked[request.path] = request
        if self.together:
            self.together.wait()
        path = os.path.join(HERE, service, request.path.partition("?")[0].lstrip("/"))
        if not os.path.isfile(path):
            return Reply(404, b"not here")
        with open(path, "rb") as file:
            return Reply(200, file.read())

    def ask(self, path=PAGE, method="GET", headers=()):
        """(answer, its body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def test_one_request_is_three_calls_at_once_and_one_answer(self):
        self.together = threading.Barrier(3, timeout=10)  # nobody answers before all three are asked

        answer, body = self.ask()

        self.assertEqual((answer.status, answer.getheader("content-type")), (200, "application/json"))
        page = json.loads(body)
        self.assertEqual(page.pop("reviews")[1], {"stars": 2, "text": "It does."})
        self.assertEqual(page, {"title": "A teapot", "picture": "front.jpg", "price": {"amount": 24.90, "currency": "EUR"}})

    def test_a_page_without_reviews_is_shown_all_the_same(self):
        silent = threading.Event()
        self.addCleanup(silent.set)
        cases = {
            "an error": lambda: Reply(500, b"{}"),
            "no JSON": lambda: Reply(200, b"<html>"),
            "too much": lambda: Reply(200, b'"' + b"x" * 70000 + b'"'),
        }
        for what, reply in cases.items():
            with self.subTest(what=what):
                self.reviews_reply = reply()
                answer, body = self.ask()
                self.assertEqual((answer.status, json.loads(body)["reviews"]), (200, []))
        self.reviews_reply = None
        self.reviews.handler = lambda request: silent.wait(30) and None
        self.assertEqual(json.loads(self.ask()[1])["reviews"], [])
        self.reviews.stop()
        self.assertEqual(json.loads(self.ask()[1])["reviews"], [])

    def test_a_page_without_a_product_is_an_error_whose_call_the_log_names(self):
        answer, body = self.ask("/pages/product?id=8")

        self.assertEqual((answer.status, body), (502, b"a part of the answer is missing"))
        waitFor(lambda: re.search(r"id=8 502 aggregate_call_failed\{(product|price)\}", self.sluice.log()), "the entry")

    def test_no_id_leads_to_another_path(self):
        for query in ("?id=..", "?id=%2e%2e", "?id=8%2F..%2F7", "?id=..;a", "?id=", "", "?other=7"):
            with self.subTest(query=query):
                self.assertEqual(self.ask("/pages/product" + query)[0].status, 400)
        self.assertEqual(self.asked, {})
        self.assertEqual(self.ask("/pages/product?id=8%2F7")[0].status, 502)
        waitFor(lambda: "/products/8%2F7/facts.json" in self.asked, "a call for a product of that name")

    def test_named_headers_go_along_and_no_others(self):
        self.ask(headers={"authorization": "Bearer t", "cookie": "session=1"})

        seen = self.asked["/products/7/facts.json"]
        self.assertEqual((seen.header("authorization"), seen.header("cookie")), ("Bearer t", None))
        self.assertIsNone(self.asked["/products/7/reviews.json?limit=3"].header("authorization"))

    def test_other_methods_and_paths_are_not_aggregated(self):
        answer, _ = self.ask(method="POST")
        self.assertEqual((answer.status, answer.getheader("allow"), self.asked), (405, "GET, HEAD", {}))
        answer, body = self.ask(method="HEAD")
        self.assertEqual((answer.status, body), (200, b""))
        answer, body = self.ask("/products/7/facts.json")
        self.assertEqual((answer.status, json.loads(body)["supplier"]["name"]), (200, "internal"))


if __name__ == "__main__":
    unittest.main()
