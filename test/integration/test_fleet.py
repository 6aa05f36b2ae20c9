"""Two proxies of one control plane: what they serve, apart from what they acknowledged."""
import json
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, LISTENER, messageClass  # noqa: E402
from harness.control import ControlCase, document  # noqa: E402
from harness.sluice import runTool  # noqa: E402


STATUS = "envoy.service.status.v3."


def listener(text, port=0, name="front"):
    return (LISTENER, config.httpListener(name, [config.directResponse(200, text)], address=config.socketAddress(port)))


class FleetTest(ControlCase):
    def setUp(self):
        super().setUp()
        self.serve(all=document(listener("one")))
        # One over each encoding.
        self.proxies = [
            self.start(Sluice(self.scratch, config.xdsBootstrap(self.control.xds_port, delta, node=name), wait=False))
            for name, delta in (("proxy-1", False), ("proxy-2", True))
        ]
        self.waitForStates("serves", "serves")

    def states(self):
        return sorted(node["state"] for node in self.control.status()["nodes"])

    def waitForStates(self, *expected):
        waitFor(lambda: self.states() == list(expected), f"states {expected}")

    def cli(self, *words):
        return runTool("sluicectl", *words, "--control", f"http://127.0.0.1:{self.control.http_port}")

    def apply(self, text, *flags, name="more.json"):
        return self.cli("apply", self.scratch.write(name, text), "--wait", *flags)

    def test_a_good_change_serves_when_apply_returns(self):
        code, output = self.apply(document(listener("two")), name="all.json")

        self.assertEqual(code, 0, output)
        self.assertIn("2 of 2 serve generation 2 (version ", output)
        for proxy in self.proxies:
            self.assertEqual(get(proxy.port("front")).body, b"two")
        self.assertTrue(all(node["reports_serving"] for node in self.control.status()["nodes"]))

    def test_who_refuses_a_change_is_told_with_the_reason_and_who_is_away_is_not_waited_for(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        other = listener("other", taken.getsockname()[1], name="other")

        code, output = self.apply(document(other, nodes=[{"id": "proxy-2"}]))

        self.assertEqual(code, 1, output)
        self.assertIn("1 of 2 serve generation 2 ", output)
        self.assertIn("; 1 refused listener other", output)
        self.assertEqual(self.states(), ["refuses", "serves"])
        code, output = self.cli("status")
        self.assertIn("1 of 2 serve generation 2 ", output)
        code, output = self.cli("status", "--json")
        self.assertEqual(json.loads(output)["nodes_serving"], 1)

        self.proxies[1].stop()
        waitFor(lambda: len(self.control.status()["nodes"]) == 1, "the second to be gone")
        code, output = self.apply(document(listener("three", name="third")), name="third.json")
        self.assertEqual(code, 0, output)
        self.assertIn("1 of 1 serve generation 3 ", output)

    def test_csds_tells_what_each_proxy_has(self):
        import grpc

        channel = grpc.insecure_channel(f"127.0.0.1:{self.control.xds_port}")
        self.addCleanup(channel.close)
        service = "/envoy.service.status.v3.ClientStatusDiscoveryService/"
        codec = {
            "request_serializer": lambda message: message.SerializeToString(),
            "response_deserializer": messageClass(STATUS + "ClientStatusResponse").FromString,
        }
        fetch = channel.unary_unary(service + "FetchClientStatus", **codec)
        stream = channel.stream_stream(service + "StreamClientStatus", **codec)
        request = messageClass(STATUS + "ClientStatusRequest")
        second = request(node_matchers=[{"node_id": {"exact": "proxy-2"}}])

        answer = fetch(request(), timeout=10)
        self.assertEqual(sorted(client.node.id for client in answer.config), ["proxy-1", "proxy-2"])
        for client in answer.config:
            (front,) = client.generic_xds_configs
            self.assertEqual((front.type_url, front.name), (LISTENER, "front"))
            self.assertEqual((front.config_status, front.client_status), (1, 3))  # SYNCED, ACKED
            self.assertIn(b"one", front.xds_config.value)
        answers = list(stream(iter([request(exclude_resource_contents=True), second]), timeout=10))
        self.assertEqual([len(answer.config) for answer in answers], [2, 1])
        self.assertFalse(answers[0].config[0].generic_xds_configs[0].HasField("xds_config"))
        with self.assertRaises(grpc.RpcError) as refused:
            fetch(request(node_matchers=[{"node_id": {"safe_regex": {"regex": "("}}}]), timeout=10)
        self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("node_matchers[0].node_id", refused.exception.details())

    def test_what_was_acknowledged_and_waits_does_not_serve_yet(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)  # closed earlier it resets the checks, and then nothing waits
        checks = {
            "timeout": "60s",
            "interval": "60s",
            "unhealthy_threshold": 1,
            "healthy_threshold": 1,
            "http_health_check": {"path": "/"},
        }
        slow = config.cluster("slow", silent.getsockname()[1], health_checks=[checks])

        code, output = self.apply(document((CLUSTER, slow)), "--timeout", "1")

        self.assertEqual(code, 1, output)
        self.assertIn("0 of 2 serve generation 2 ", output)
        self.assertIn("; 2 wait: cluster slow waits for ", output)
        self.assertIn("not all proxies serve it after 1 s", output)
        status = self.control.status()
        self.assertEqual([node["state"] for node in status["nodes"]], ["warming", "warming"])
        self.assertEqual([node["waiting"][0]["name"] for node in status["nodes"]], ["slow", "slow"])
        self.assertEqual(status["nodes_up_to_date"], 2)

        code, output = self.apply(document(), name="more.json")
        self.assertEqual(code, 0, output)
        self.assertIn("2 of 2 serve generation 3 ", output)

    def test_flags_that_do_not_belong_together_are_refused(self):
        for words in (("status", "--wait"), ("apply", "x", "--timeout", "3"), ("apply", "x", "--wait", "--timeout", "soon")):
            with self.subTest(words=words):
                self.assertEqual(self.cli(*words)[0], 2)


if __name__ == "__main__":
    unittest.main()
