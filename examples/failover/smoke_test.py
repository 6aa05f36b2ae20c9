"""Failover by priority as it stands, on free ports, with faster checks and shorter ejections."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import HttpUpstream, Reply, Sluice, SluiceTestCase, exampleConfig, get, waitFor  # noqa: E402
from harness.upstream import freePort  # noqa: E402

HERE_PORTS = ("8081", "8082")
ELSEWHERE_PORTS = ("8083", "8084")


class FailoverTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.status = {"here": 200, "elsewhere": 200}
        self.ports = {port: freePort() for port in HERE_PORTS + ELSEWHERE_PORTS}
        self.hosts = {port: self.host(port) for port in self.ports}
        text = exampleConfig(HERE, self.ports)
        text = text.replace("interval: 1s", "interval: 0.05s").replace("ejection_time: 10s", "ejection_time: 1s")
        self.sluice = self.start(Sluice(self.scratch, text))
        self.port = self.sluice.port("shop")

    def host(self, port):
        where = "here" if port in HERE_PORTS else "elsewhere"

        def answer(asked):
            return Reply(200 if asked.path == "/health" else self.status[where], where.encode())

        return self.start(HttpUpstream(answer, address=("127.0.0.1", self.ports[port])))

    def answers(self):
        found = [get(self.port) for _ in range(20)]
        self.assertEqual({answer.status for answer in found}, {200})
        return {answer.body for answer in found}

    def test_hosts_elsewhere_answer_while_those_here_are_gone(self):
        self.assertEqual(self.answers(), {b"here"})

        self.hosts["8081"].stop()
        waitFor(lambda: self.answers() == {b"here", b"elsewhere"}, "a share for those elsewhere")
        self.hosts["8082"].stop()
        waitFor(lambda: self.answers() == {b"elsewhere"}, "those elsewhere to answer all")
        for port in HERE_PORTS:
            self.host(port)
        waitFor(lambda: self.answers() == {b"here"}, "those here to answer again")

    def test_hosts_that_are_well_by_their_checks_and_fail_are_got_around_and_ejected(self):
        self.status["here"] = 503

        def bothEjected():
            """Once an ejection is over, only more requests bring the next one."""
            self.assertEqual(self.answers(), {b"elsewhere"})
            return self.sluice.stat("cluster.shop.outlier_detection.ejections_active") == 2

        waitFor(bothEjected, "both to be ejected")
        self.assertEqual(self.answers(), {b"elsewhere"})


if __name__ == "__main__":
    unittest.main()
