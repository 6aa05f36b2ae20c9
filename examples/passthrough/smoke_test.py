"""The example of TLS passed through, as it stands, on free ports."""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import Process, Sluice, SluiceTestCase, exampleConfig, rawConnection, waitFor  # noqa: E402
from harness.upstream import freePort  # noqa: E402


class PassthroughTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.scratch.join("certificates")
        subprocess.run([os.path.join(HERE, "../tls/make-certificates"), self.folder], check=True, capture_output=True)
        ports = {"8443": self.serve("shop"), "8444": self.serve("api")}
        self.sluice = self.start(Sluice(self.scratch, exampleConfig(HERE, ports)))
        self.port = self.sluice.port("tls")

    def serve(self, name):
        """A server of OpenSSL with the certificate of that name; its port."""
        port = freePort()
        command = ["openssl", "s_server", "-quiet", "-www", "-accept", str(port)]
        command += ["-cert", f"{self.folder}/{name}.pem", "-key", f"{self.folder}/{name}.key"]
        server = Process(command, self.scratch, name)
        self.addCleanup(server.kill)
        waitFor(lambda: not rawConnection(port).close(), name)
        return port

    def curl(self, host):
        run = subprocess.run(
            ["curl", "-sS", "-v", "--max-time", "10", "--cacert", self.folder + "/authority.pem", "--resolve",
             f"{host}:{self.port}:127.0.0.1", f"https://{host}:{self.port}/"],
            capture_output=True, text=True, errors="replace")  # fmt: skip
        return run.returncode, run.stdout + run.stderr

    def test_each_name_reaches_the_service_that_has_its_certificate(self):
        for name in ("shop", "api"):
            code, told = self.curl(name + ".example")
            self.assertEqual(code, 0, told)
            self.assertRegex(told, rf'subjectAltName: host "{name}\.example" matched')
            self.assertIn("s_server", told)
            self.assertEqual(self.sluice.stat(f"tcp.{name}.downstream_cx_total"), 1)

    def test_another_name_is_closed(self):
        self.assertNotEqual(self.curl("other.example")[0], 0)
        refused = lambda: [v for k, v in self.sluice.stats("listener").items() if k.endswith("no_filter_chain_match")]  # noqa: E731
        waitFor(lambda: refused() == [1], "the refusal to be counted")


if __name__ == "__main__":
    unittest.main()
