"""The forward proxy as it stands, on free ports."""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import HttpUpstream, Reply, Sluice, SluiceTestCase, exampleConfig  # noqa: E402


class ForwardProxyTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.host = self.start(HttpUpstream(lambda request: Reply(body=b"v1"), address=("0.0.0.0", 0)))
        self.sluice = self.start(Sluice(self.scratch, exampleConfig(HERE, {})))
        self.proxy = f"http://127.0.0.1:{self.sluice.port('proxy')}"

    def curl(self, target, *arguments):
        """(status, body); the status of a tunnel's CONNECT if that was refused."""
        command = ["curl", "-sS", "--max-time", "10", "--noproxy", "", "-x", self.proxy, *arguments]
        command += ["-w", "\n%{http_connect} %{http_code}", target]
        run = subprocess.run(command, capture_output=True, text=True, errors="replace")
        body, _, codes = run.stdout.rpartition("\n")
        connect, code = (int(text) for text in codes.split())
        return (code or connect), body

    def test_a_request_goes_to_the_host_that_it_names(self):
        self.assertEqual(self.curl(f"http://localhost:{self.host.port}/"), (200, "v1"))

    def test_so_does_a_tunnel(self):
        self.assertEqual(self.curl(f"http://localhost:{self.host.port}/", "-p"), (200, "v1"))
        self.assertEqual(self.curl(f"http://127.0.0.2:{self.host.port}/", "-p")[0], 403)

    def test_nothing_inside_is_reached_but_what_is_allowed(self):
        for address in ("127.0.0.2", "[::ffff:127.0.0.2]", "0.0.0.0"):
            self.assertEqual(self.curl(f"http://{address}:{self.host.port}/")[0], 403, address)
        self.assertEqual(self.curl("http://169.254.169.254/")[0], 403)
        self.assertEqual(self.host.connections, 0)
        self.assertEqual(self.sluice.stat("dns_cache.names.internal_address_refused"), 4)


if __name__ == "__main__":
    unittest.main()
