"""gRPC's own xDS client (`xds:///` targets of Python's gRPC) takes its configuration from `sluice-control`."""
import concurrent.futures
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, LISTENER, ROUTE  # noqa: E402

ADS = {"ads": {}, "resource_api_version": "V3"}

# gRPC reads its bootstrap once a process, so each client is a process of its own.
CLIENT = """
import sys, grpc
channel = grpc.insecure_channel("xds:///echo.test")
call = channel.unary_unary("/test.Echo/Say")
for _ in range(int(sys.argv[1])):
    print(call(b"hello", timeout=10, wait_for_ready=True).decode(), flush=True)
"""


# Calls without pause until its input ends; then the calls, and what failed.
LOOP = """
import json, sys, threading, grpc
channel = grpc.insecure_channel("xds:///echo.test")
call = channel.unary_unary("/test.Echo/Say")
call(b"hello", timeout=10, wait_for_ready=True)
print("ready", flush=True)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
calls, failures = 0, []
while not ended.is_set():
    calls += 1
    try:
        call(b"hello", timeout=5)
    except grpc.RpcError as error:
        failures.append(error.details())
print(json.dumps([calls, failures]), flush=True)
"""


def startEcho(name):
    """A gRPC server that answers with its name; (server, port)."""
    import grpc

    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: name.encode())
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Say": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def resources(port, name="echo"):
    """Everything but the API listener is called `name`."""
    manager = config.httpListener("echo.test", rds={"route_config_name": name, "config_source": ADS})
    manager = manager["filter_chains"][0]["filters"][0]["typed_config"]
    assignment = config.loadAssignment(name, [port])
    assignment["endpoints"][0].update({"locality": {"zone": "a"}, "load_balancing_weight": 1})
    typed = [
        (LISTENER, {"name": "echo.test", "api_listener": {"api_listener": manager}}),
        (ROUTE, {"name": name, "virtual_hosts": [{"name": "echo", "domains": ["echo.test"], "routes": [route(name, prefix="")]}]}),
        (CLUSTER, {"name": name, "type": "EDS", "eds_cluster_config": {"eds_config": ADS}, "lb_policy": "ROUND_ROBIN"}),
        (ENDPOINT, assignment),
    ]
    return json.dumps({"resources": [{"@type": type_url, **item} for type_url, item in typed]})


class GrpcClientTest(SluiceTestCase):
    def test_a_client_finds_its_server_through_the_control_plane_and_follows_a_change(self):
        one, one_port = startEcho("one")
        two, two_port = startEcho("two")
        self.addCleanup(lambda: (one.stop(0), two.stop(0)))
        self.scratch.write("config/all.json", resources(one_port))
        control = self.start(Control(self.scratch, self.scratch.join("config")))
        bootstrap_path = self.bootstrap(control)

        self.assertEqual(self.ask(bootstrap_path, 3), ["one"] * 3)
        self.scratch.write("config/all.json", resources(two_port))
        waitFor(lambda: self.ask(bootstrap_path, 1) == ["two"], "the new endpoint", 30)

    def test_no_call_fails_while_the_cluster_its_endpoints_and_the_routes_are_renamed(self):
        server, port = startEcho("one")
        self.addCleanup(lambda: server.stop(0))
        self.scratch.write("config/all.json", resources(port))
        control = self.start(Control(self.scratch, self.scratch.join("config")))
        client = subprocess.Popen(
            ["/usr/bin/python3", "-c", LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "GRPC_XDS_BOOTSTRAP": self.bootstrap(control)},
        )
        self.addCleanup(client.kill)
        self.assertEqual(client.stdout.readline(), "ready\n")

        for number in range(20):
            before = self.routesInUse(control)
            path = self.scratch.write("next.json", resources(port, f"echo-{number}"))
            os.rename(path, self.scratch.join("config/all.json"))
            waitFor(lambda: self.routesInUse(control) not in (None, before), f"rename {number} to be taken", 30)
        calls, failures = json.loads(client.communicate("", timeout=30)[0])

        self.assertEqual(failures[:5], [])
        self.assertGreater(calls, 20)

    def routesInUse(self, control):
        """The version of the routes that the client has taken, once it has all that there is."""
        node = control.status()["nodes"][0]
        return node["types"]["route"]["version_acknowledged"] if node["up_to_date"] else None

    def bootstrap(self, control):
        return self.scratch.write(
            "grpc.json",
            json.dumps(
                {
                    "xds_servers": [
                        {
                            "server_uri": f"127.0.0.1:{control.xds_port}",
                            "channel_creds": [{"type": "insecure"}],
                            "server_features": ["xds_v3"],
                        }
                    ],
                    "node": {"id": "grpc-client", "cluster": "test"},
                }
            ),
        )

    def ask(self, bootstrap_path, times):
        run = subprocess.run(
            ["/usr/bin/python3", "-c", CLIENT, str(times)],
            env={**os.environ, "GRPC_XDS_BOOTSTRAP": bootstrap_path},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        self.assertEqual(run.returncode, 0, run.stderr[-2000:])
        return run.stdout.split()


if __name__ == "__main__":
    unittest.main()
