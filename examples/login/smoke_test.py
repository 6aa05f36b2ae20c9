"""The login as it stands, on free ports: a person with a browser, and callers without."""
import json
import os
import re
import sys
import unittest
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "../gateway"))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
import echo  # noqa: E402
import provider  # noqa: E402
from harness import Sluice, SluiceTestCase, exampleConfig, waitFor  # noqa: E402


class LoginTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.provider = self.start(provider.Provider())
        ports = {"8081": self.start(echo.Service()).port, "8082": self.provider.port}
        text = exampleConfig(HERE, ports).replace("http://127.0.0.1:8082", self.provider.issuer)
        self.sluice = self.start(Sluice(self.scratch, text))
        self.site = f"http://127.0.0.1:{self.sluice.port('shop')}"
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def ask(self, path, body=None, **headers):
        """(status, URL, body) at the end of all redirects."""
        url = urllib.parse.urljoin(self.site, path)
        try:
            with self.browser.open(urllib.request.Request(url, body, {"accept": "text/html", **headers}), timeout=10) as answer:
                return answer.status, answer.url, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.url, answer.read().decode()

    def logIn(self, path="/orders?a=1", login=b"ann"):
        _, url, form = self.ask(path)
        self.assertIn("Who are you?", form)
        return self.ask(url, b"login=" + login)

    def test_a_person_logs_in_and_comes_back_to_the_page(self):
        status, url, body = self.logIn()

        told = json.loads(body)
        self.assertEqual((status, url), (200, self.site + "/orders?a=1"))
        self.assertEqual((told["path"], told["headers"]["x-user"]), ("/orders?a=1", "ann"))
        self.assertNotIn("cookie", told["headers"])
        self.assertEqual(json.loads(self.ask("/other", **{"x-user": "root"})[2])["headers"]["x-user"], "ann")
        waitFor(lambda: re.search(r'"who":"ann"', self.sluice.log()), "the access log")

    def test_some_pages_are_for_everybody_and_callers_get_401(self):
        status, _, body = self.ask("/public/a", **{"x-user": "root"})
        self.assertEqual((status, json.loads(body)["headers"].get("x-user")), (200, None))
        self.assertEqual(self.ask("/api/orders")[0], 401)
        self.assertEqual(self.ask("/orders", accept="application/json")[0], 401)
        self.logIn()
        self.assertEqual(self.ask("/api/orders")[0], 200)

    def test_who_has_signed_out_has_to_log_in_again(self):
        self.logIn()
        self.assertIn("Who are you?", self.ask("/logout")[2])
        self.assertEqual(self.ask("/api/orders")[0], 401)


if __name__ == "__main__":
    unittest.main()
