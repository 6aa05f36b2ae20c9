"""Two sidecars with SPIFFE IDs as they stand, on free ports."""
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../gateway"))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
import echo  # noqa: E402
from harness import Sluice, SluiceTestCase, exampleConfig, get, waitFor  # noqa: E402


class SpiffeTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.scratch.join("certificates")
        self.makeCertificates()
        self.orders = self.sidecar("orders", {"8081": self.start(echo.Service()).port})
        self.port = self.orders.port("to_orders")
        self.web = self.sidecar("web", {"10443": self.port})

    def makeCertificates(self):
        subprocess.run([os.path.join(HERE, "make-certificates"), self.folder], check=True, capture_output=True)

    def sidecar(self, name, ports):
        text = exampleConfig(HERE, ports, name + ".yaml").replace("certificates/", self.folder + "/")
        text = text.replace("path: certificates", "path: " + self.folder)
        text = text.replace("filename: consumers.yaml", "filename: " + os.path.join(HERE, "consumers.yaml"))
        return self.start(Sluice(self.scratch, text.replace("{path: .}", "{path: " + HERE + "}")))

    def askAs(self, name, path="/"):
        """The status, or None where TLS refuses."""
        run = subprocess.run(
            ["curl", "-sk", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", "--cert",
             f"{self.folder}/{name}.pem", "--key", f"{self.folder}/{name}.key", f"https://127.0.0.1:{self.port}{path}"],
            capture_output=True, text=True)  # fmt: skip
        return int(run.stdout) if run.returncode == 0 else None

    def test_the_service_is_told_who_asks(self):
        answer = get(self.web.port("from_web"), "/orders/7", headers=[("x-consumer", "root")])
        self.assertEqual(answer.status, 200)
        self.assertEqual(json.loads(answer.body)["headers"]["x-consumer"], "web")
        self.assertEqual(get(self.web.port("from_web"), "/refunds").status, 200)
        waitFor(lambda: "spiffe://example.org/web GET /orders/7 200" in self.orders.log(), "the access log")

    def test_others_may_what_is_theirs(self):
        asked = [("web", "/refunds"), ("shop", "/"), ("shop", "/refunds"), ("batch", "/"), ("forged", "/")]
        self.assertEqual([self.askAs(*each) for each in asked], [200, 200, 403, 401, None])

    def test_certificates_are_replaced_while_it_runs(self):
        def serials():
            certificates = self.orders.adminJson("/certs")["certificates"]
            return {chain["serial_number"] for each in certificates for chain in each["cert_chain"]}

        before = serials()
        self.makeCertificates()

        waitFor(lambda: not before & serials(), "another certificate")
        self.assertEqual(self.askAs("web"), 200)
        self.assertEqual(get(self.web.port("from_web"), "/").status, 200)


if __name__ == "__main__":
    unittest.main()
