"""kill -9 of upstreams and of the control plane, and their return."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.traffic import LoadRun, Origin  # noqa: E402
from test_hot_swap import Intent  # noqa: E402
from harness.upstream import freePort  # noqa: E402


class UpstreamTest(SluiceTestCase):
    def test_a_killed_upstream_costs_errors_only_while_it_is_away(self):
        origin = self.start(Origin(self.scratch))
        listeners = [httpListener("http", [route("up")])]
        sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [cluster("up", origin.port)]), concurrency=2))
        port = sluice.port("http")
        load = self.start(LoadRun(f"127.0.0.1:{port}", 200, "get=1", timeout_s=3))
        waitFor(lambda: get(port).status == 200, "an answer")

        origin.kill()
        waitFor(lambda: get(port).status == 503, "the upstream to be missed")
        self.start(Origin(self.scratch, port=origin.port))
        waitFor(lambda: get(port).status == 200, "the upstream to be found again")
        load.report()
        time.sleep(1)
        after = load.report()

        self.assertEqual(after["failed"], 0, after["failures"])
        self.assertGreater(after["requests"], 50)
        sluice.mustRun()

    def test_one_dead_endpoint_of_two_never_hangs_a_request(self):
        origin = self.start(Origin(self.scratch))
        listeners = [httpListener("http", [route("up")])]
        sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [cluster("up", origin.port, freePort())])))
        port = sluice.port("http")

        statuses = [get(port).status for _ in range(20)]

        self.assertEqual(set(statuses), {200, 503})


class ControlPlaneTest(SluiceTestCase):
    def startAll(self):
        origins = {version: self.start(Origin(self.scratch, version)).port for version in ("v1", "v2")}
        self.intent = Intent(freePort(), freePort(), origins)
        os.mkdir(self.scratch.join("config"))
        self.publish()
        self.control = self.start(Control(self.scratch, self.scratch.join("config")))
        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.control.xds_port), wait=False))
        waitFor(lambda: get(self.intent.port).status == 200, "the first answer", 20)

    def publish(self):
        self.scratch.write("config/all.json", self.intent.document())

    def restart(self):
        self.control = self.start(Control(self.scratch, self.control.folder, self.control.xds_port, self.control.http_port))

    def test_a_killed_control_plane_costs_no_request_and_edits_made_meanwhile_arrive(self):
        self.startAll()
        load = self.start(LoadRun(f"127.0.0.1:{self.intent.port}", 300, "get=8,post=2,idle=4", idle_s=0.5))

        for _ in range(3):
            self.control.kill()
            in_effect = self.intent.edit("route")
            self.publish()
            time.sleep(0.3)
            self.restart()
            waitFor(in_effect, "the edit made while the control plane was away", 40)
        counts = load.finish()

        self.assertEqual(counts["failed"], 0, counts["failures"])
        self.assertGreater(counts["requests"], 100)

    def test_a_proxy_that_is_killed_comes_back_with_the_same_configuration(self):
        self.startAll()
        self.sluice.kill()

        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.control.xds_port), wait=False))

        waitFor(lambda: get(self.intent.port).status == 200, "an answer", 20)


if __name__ == "__main__":
    unittest.main()
