"""gRPC libraries that nobody here wrote, through the proxy: C++, Python and Node, all kinds of calls."""
import concurrent.futures
import os
import subprocess
import sys
import unittest

import grpc

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import node  # noqa: E402
from harness.process import program  # noqa: E402


class Echo:
    """Methods of each kind, on bytes."""

    def unary(self, request, context):
        context.set_trailing_metadata((("x-kind", "unary"),))
        return b"one: " + request

    def downloads(self, request, context):
        for i in range(int(request.split()[-1]) + 3):
            yield b"part %d" % i

    def uploads(self, requests, context):
        return b"%d messages" % sum(1 for _ in requests)

    def talks(self, requests, context):
        for request in requests:
            yield b"echo " + request

    def refuses(self, request, context):
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not for you: 100% sure")

    def handlers(self):
        return {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Downloads": grpc.unary_stream_rpc_method_handler(self.downloads),
            "Uploads": grpc.stream_unary_rpc_method_handler(self.uploads),
            "Talks": grpc.stream_stream_rpc_method_handler(self.talks),
            "Refuses": grpc.unary_unary_rpc_method_handler(self.refuses),
        }


def cppClient(target, method, count):
    run = subprocess.run(
        [program("grpc_client"), target, f"/test.Echo/{method}", str(count)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return run.stdout.splitlines()


class GrpcClientsTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", Echo().handlers()),))
        upstream = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.addCleanup(lambda: self.server.stop(0))
        clusters = [cluster("up", upstream, **HTTP2)]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("grpc", [route("up")])], clusters)))
        self.target = f"127.0.0.1:{self.sluice.port('grpc')}"

    def cpp(self, method, count):
        return cppClient(self.target, method, count)

    def test_calls_of_each_kind_from_cpp(self):
        self.assertEqual(self.cpp("Unary", 1), ["message one: message 0", "trailer x-kind=unary", "status 0 "])
        self.assertEqual(self.cpp("Downloads", 1), ["message part 0", "message part 1", "message part 2", "status 0 "])
        self.assertEqual(self.cpp("Uploads", 5), ["message 5 messages", "status 0 "])
        self.assertEqual(self.cpp("Talks", 2), ["message echo message 0", "message echo message 1", "status 0 "])

    def test_a_refusal_arrives_as_the_server_said_it(self):
        self.assertEqual(self.cpp("Refuses", 1)[-1], "status 7 not for you: 100% sure")

    def test_calls_of_each_kind_from_python(self):
        with grpc.insecure_channel(self.target) as channel:
            self.assertEqual(channel.unary_unary("/test.Echo/Unary")(b"a", timeout=10), b"one: a")
            self.assertEqual(len(list(channel.unary_stream("/test.Echo/Downloads")(b"x 7", timeout=10))), 10)
            self.assertEqual(channel.stream_unary("/test.Echo/Uploads")(iter([b"a"] * 100), timeout=10), b"100 messages")
            answers = channel.stream_stream("/test.Echo/Talks")(iter([b"%d" % i for i in range(100)]), timeout=10)
            self.assertEqual(list(answers), [b"echo %d" % i for i in range(100)])

    def test_large_messages_pass_both_ways(self):
        limits = [("grpc.max_receive_message_length", -1)]
        big = os.urandom(2 << 20)
        with grpc.insecure_channel(self.target, limits) as channel:
            answers = channel.stream_stream("/test.Echo/Talks")(iter([big] * 4), timeout=30)
            self.assertEqual([answer[5:] == big for answer in answers], [True] * 4)

    def test_a_deadline_ends_the_call_on_both_sides(self):
        with grpc.insecure_channel(self.target) as channel:

            def requests():
                yield b"first"
                concurrent.futures.Future().result(timeout=5)

            answers = channel.stream_stream("/test.Echo/Talks")(requests(), timeout=1)
            self.assertEqual(next(answers), b"echo first")
            with self.assertRaises(grpc.RpcError) as raised:
                next(answers)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        waitFor(lambda: self.sluice.stat("cluster.up.upstream_rq_active") == 0, "the upstream's stream to end")


class NodeTest(SluiceTestCase):
    """gRPC's library for Node on both sides, and with the others."""

    @classmethod
    def setUpClass(cls):
        node.packages()

    def setUp(self):
        super().setUp()
        self.server = self.start(node.NodeServer(self.scratch, "grpc_server.js"))
        routes = [
            route("up", prefix="/test.Echo/Waits", max_stream_duration={"grpc_timeout_header_max": "1s"}),
            route("nowhere", prefix="/test.Echo/Nowhere"),
            route("up"),
        ]
        clusters = [cluster("up", self.server.port, **HTTP2), cluster("nowhere")]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("grpc", routes)], clusters)))
        self.target = f"127.0.0.1:{self.sluice.port('grpc')}"

    def node(self, method, count, *limit):
        run = subprocess.run(
            node.command("grpc_client.js", self.target, method, count, *limit),
            env={**os.environ, **node.environment()},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return run.stdout.splitlines()

    def assertOver(self):
        waitFor(lambda: self.sluice.stat("cluster.up.upstream_rq_active") == 0, "the upstream's stream to end")

    def test_calls_of_each_kind(self):
        for client in (self.node, lambda *call: cppClient(self.target, *call)):
            self.assertEqual(client("Unary", 1)[:2], ["message one: message 0", "trailer x-kind=unary"])
            self.assertEqual(client("Downloads", 1)[:3], ["message part 0", "message part 1", "message part 2"])
            self.assertEqual(client("Uploads", 5)[0], "message 5 messages")
            self.assertEqual(client("Talks", 2)[:2], ["message echo message 0", "message echo message 1"])
            for method in ("Unary", "Downloads", "Uploads", "Talks"):
                self.assertTrue(client(method, 1)[-1].startswith("status 0 "))

    def test_a_refusal_arrives_as_the_server_said_it_and_in_one_head(self):
        for client in (self.node, lambda *call: cppClient(self.target, *call)):
            said = client("Refuses", 1)
            self.assertEqual(said[-1], "status 7 not for you: 100% sure")
            self.assertNotIn("message", "".join(said[:-1]))
        code, answer = curl(
            *["--http2-prior-knowledge", "-i", "-H", "content-type: application/grpc", "-H", "te: trailers"],
            *["--data-binary", "@" + self.scratch.write("frame", b"\0\0\0\0\0"), f"http://{self.target}/test.Echo/Refuses"],
        )
        self.assertEqual(code, 0)
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertIn(b"grpc-status: 7", head)
        self.assertEqual(body, b"")

    def test_an_answer_of_the_proxy_is_a_status(self):
        self.assertEqual(self.node("Nowhere", 1), ["status 14 no healthy upstream"])

    def test_the_clients_deadline_ends_the_call_on_both_sides(self):
        self.assertEqual(self.node("Talks", 1, 1000)[:1], ["message echo message 0"])
        self.assertEqual(self.node("Talks", 0, 300)[-1].split()[:2], ["status", "4"])
        self.assertOver()

    def test_a_route_shortens_the_deadline_and_tells_the_server(self):
        self.assertEqual(self.node("Waits", 1, 60000)[-1].split()[:2], ["status", "4"])
        self.assertRegex(self.server.log(), r"Waits begins \d{1,3}\b|Waits begins 1000\b")
        self.assertOver()

    def test_a_call_that_is_cancelled_is_cancelled_at_the_server(self):
        self.assertEqual(self.node("Talks", 1, "cancel"), ["message echo message 0", "status 1 Cancelled on client"])
        waitFor(lambda: "Talks cancelled" in self.server.log(), "the server to hear of it")
        self.assertOver()


if __name__ == "__main__":
    unittest.main()
