"""The TLS example as it stands, on free ports."""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import HttpUpstream, Reply, Sluice, SluiceTestCase, exampleConfig, waitFor  # noqa: E402


class TlsTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.scratch.join("certificates")
        self.makeCertificates()
        told = lambda request: Reply(200, str(request.header("x-forwarded-client-cert")).encode())  # noqa: E731
        ports = {"8081": self.start(HttpUpstream(told)).port}
        text = exampleConfig(HERE, ports)
        self.sluice = self.start(Sluice(self.scratch, text.replace("certificates", self.folder)))
        self.port = self.sluice.port("https")

    def makeCertificates(self):
        subprocess.run([os.path.join(HERE, "make-certificates"), self.folder], check=True, capture_output=True)

    def curl(self, host, *arguments):
        run = subprocess.run(
            ["curl", "-sS", "--max-time", "10", "--cacert", self.folder + "/authority.pem", "--resolve",
             f"{host}:{self.port}:127.0.0.1", *arguments, f"https://{host}:{self.port}/"],
            capture_output=True, text=True)  # fmt: skip
        return run.stdout + run.stderr

    def test_each_name_has_its_certificate_and_clients_are_told_of(self):
        self.assertEqual(self.curl("shop.example"), "None")
        self.assertEqual(self.curl("api.example", "-H", "x-forwarded-client-cert: URI=forged"), "None")
        told = self.curl("api.example", "--cert", self.folder + "/client.pem", "--key", self.folder + "/client.key")
        self.assertRegex(told, r"^Hash=[0-9a-f]{64};URI=spiffe://example/client$")

    def test_certificates_are_replaced_while_it_runs(self):
        serials = lambda: sorted(  # noqa: E731
            chain["serial_number"] for c in self.sluice.adminJson("/certs")["certificates"] for chain in c["cert_chain"]
        )
        before = serials()

        self.makeCertificates()

        waitFor(lambda: not set(before) & set(serials()), "both certificates to be replaced")
        self.assertEqual(self.curl("shop.example"), "None")


if __name__ == "__main__":
    unittest.main()
