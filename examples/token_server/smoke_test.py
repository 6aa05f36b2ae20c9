"""The token server and its API as they stand, on free ports."""
import base64
import json
import os
import shutil
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "../gateway"))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
import echo  # noqa: E402
from harness import Sluice, SluiceTestCase, exampleConfig, waitFor  # noqa: E402
from harness.upstream import freePort  # noqa: E402
from login import ask, login, post  # noqa: E402

SHOP = {"client_id": "shop", "client_secret": "ex_shop_Ohx2eiWaeJ4ooph8"}


class TokenServerTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        folder = self.scratch.join("files")
        shutil.copytree(os.path.join(HERE, "clients"), os.path.join(folder, "clients"))
        shutil.copy(os.path.join(HERE, "users"), folder)
        self.port = freePort()
        ports = {"8081": self.start(echo.Service()).port, "10000": self.port}
        self.text = exampleConfig(HERE, ports).replace("examples/token_server", folder)
        self.sluice = self.start(Sluice(self.scratch, self.text))

    def orders(self, token=None):
        """The status, and what the service was told."""
        headers = {"Authorization": "Bearer " + token} if token else {}
        answer, body = ask(self.port, "GET", "/orders", **headers)
        return answer.status, json.loads(body)["headers"] if answer.status == 200 else body

    def token(self, **more):
        return post(self.port, "/oauth2/token", **more)

    def test_a_client_gets_a_token_that_the_api_takes(self):
        self.assertEqual(self.orders()[0], 401)
        status, tokens = self.token(grant_type="client_credentials", scope="orders.read", **SHOP)
        self.assertEqual(status, 200)

        self.assertEqual(waitFor(lambda: self.orders(tokens["access_token"])[0] == 200, "the keys"), True)

        told = self.orders(tokens["access_token"])[1]
        self.assertEqual((told["x-user"], told["x-scope"]), ("shop", "orders.read"))
        self.assertNotIn("authorization", told)
        self.assertEqual(self.token(grant_type="client_credentials", **{**SHOP, "client_secret": "x"})[0], 401)

    def test_a_user_logs_in_and_stays_so_over_a_crash(self):
        tokens = login("ann", "ex_ann_password", self.port)
        waitFor(lambda: self.orders(tokens["access_token"])[0] == 200, "the keys")
        self.assertEqual(self.orders(tokens["access_token"])[1]["x-user"], "ann")

        self.sluice.kill()
        self.sluice = self.start(Sluice(self.scratch, self.text))

        waitFor(lambda: self.orders(tokens["access_token"])[0] == 200, "the keys")
        status, fresh = self.token(grant_type="refresh_token", client_id="cli", refresh_token=tokens["refresh_token"])
        self.assertEqual(status, 200)
        waitFor(lambda: self.orders(fresh["access_token"])[0] == 200, "the keys")
        self.assertEqual(self.token(grant_type="refresh_token", client_id="cli", refresh_token=tokens["refresh_token"])[0], 400)

    def test_users_are_asked_for_their_password_and_the_api_for_none(self):
        basic = "Basic " + base64.b64encode(b"ann:wrong").decode()
        self.assertEqual(ask(self.port, "GET", "/oauth2/authorize?client_id=cli", Authorization=basic)[0].status, 401)
        self.assertEqual(ask(self.port, "GET", "/oauth2/authorize?client_id=cli")[0].status, 401)
        self.assertEqual(ask(self.port, "GET", "/oauth2/jwks")[0].status, 200)

    def test_a_token_that_is_revoked_is_inactive(self):
        _, tokens = self.token(grant_type="client_credentials", **SHOP)
        asked = {"token": tokens["access_token"], **SHOP}
        self.assertTrue(post(self.port, "/oauth2/introspect", **asked)[1]["active"])
        self.assertEqual(post(self.port, "/oauth2/revoke", **asked)[0], 200)
        self.assertFalse(post(self.port, "/oauth2/introspect", **asked)[1]["active"])


if __name__ == "__main__":
    unittest.main()
