"""`sluice-control` and what it lets in: its HTTP API, what it writes, what it says of its folder and of its address."""
import json
import os
import socket
import stat
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, AdsClient  # noqa: E402
from harness.control import ControlCase, document  # noqa: E402
from harness.sluice import runTool  # noqa: E402

BUFFER_PER_ROUTE = config.TYPE + "envoy.extensions.filters.http.buffer.v3.BufferPerRoute"


class ApiTest(ControlCase):
    def post(self, text, headers=(), query="?file=more.json"):
        return request(
            self.control.http_port, "POST", "/api/v1/resources" + query, body=text.encode(), headers=list(headers)
        )

    def test_a_web_page_may_not_write(self):
        self.serve(all=document())

        reply = self.post(document(), [("Origin", "http://evil.test")])

        self.assertEqual(reply.status, 403)

    def test_a_token_is_asked_for_and_taken(self):
        os.mkdir(self.scratch.join("config"))
        token = self.scratch.write("token", "secret\n")
        self.control = self.start(Control(self.scratch, self.scratch.join("config"), args=["--token-file", token]))

        self.assertEqual(self.post(document()).status, 401)
        self.assertEqual(self.post(document(), [("Authorization", "Bearer wrong")]).status, 401)
        self.assertEqual(self.post(document(), [("Authorization", "Bearer secret")]).status, 200)

    def test_names_that_leave_the_directory_are_refused(self):
        self.serve(all=document())

        for name in ("../x.json", ".x.json", "x.txt", "a/b.json", "%2e%2e%2fx.json"):
            with self.subTest(name=name):
                self.assertEqual(self.post(document(), query="?file=" + name).status, 400)

    def test_resources_are_listed_with_their_place(self):
        self.serve(all=document((CLUSTER, config.cluster("one", 1)), (ENDPOINT, config.loadAssignment("e", [1]))))

        reply = json.loads(get(self.control.http_port, "/api/v1/resources?type=endpoints").body)

        self.assertEqual([item["name"] for item in reply["resources"]], ["e"])
        self.assertTrue(reply["resources"][0]["file"].endswith("all.json"))
        self.assertEqual(reply["resources"][0]["resource"]["cluster_name"], "e")

    def head(self, port, *lines):
        """The answer to a request of which only the head is sent."""
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall("\r\n".join([*lines, "Host: localhost", "", ""]).encode())
            return connection.recv(4096).decode()

    def test_who_may_not_write_is_answered_before_a_body_is_collected(self):
        os.mkdir(self.scratch.join("config"))
        token = self.scratch.write("token", "secret\n")
        self.control = self.start(Control(self.scratch, self.scratch.join("config"), args=["--token-file", token]))
        post = ("POST /api/v1/resources?file=a.json HTTP/1.1", f"Content-Length: {32 << 20}")

        self.assertIn(" 401 ", self.head(self.control.http_port, *post))
        self.assertIn(" 401 ", self.head(self.control.http_port, *post, "Authorization: Bearer wrong"))
        self.assertIn(" 403 ", self.head(self.control.http_port, *post, "Origin: http://evil.test"))

    def test_only_a_writer_may_send_a_large_body(self):
        self.serve(all=document())
        big = document() + " " * (1 << 20)

        self.assertEqual(self.post(big).status, 200)
        for method, path in (("POST", "/api/v1/status"), ("GET", "/api/v1/resources"), ("POST", "/nowhere")):
            with self.subTest(path=path):
                self.assertEqual(request(self.control.http_port, method, path, body=big.encode()).status, 413)

    def test_admin_pages_collect_no_large_body(self):
        sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("http", [directResponse(200)])], [])))

        self.assertEqual(request(sluice.adminTarget(), "POST", "/logging", body=b"x" * (1 << 20)).status, 413)
        self.assertEqual(sluice.admin("/ready").status, 200)

    def test_what_somebody_put_at_the_name_of_a_temporary_file_is_not_written_to(self):
        self.serve(all=document())
        victim = self.scratch.write("victim", "precious")
        pid = self.control.process.pid
        for name in (f".more.json.{pid}.tmp", f".more.json.{pid}-0.tmp"):
            os.symlink(victim, os.path.join(self.control.folder, name))

        self.assertEqual(self.post(document((CLUSTER, config.cluster("one", 1)))).status, 200)

        with open(victim) as file:
            self.assertEqual(file.read(), "precious")
        self.assertTrue(stat.S_ISREG(os.lstat(os.path.join(self.control.folder, "more.json")).st_mode))

    def test_warnings_are_told_to_who_applies_and_stay_in_the_status(self):
        self.serve(all=document((CLUSTER, config.cluster("one", 1))))
        weighted = {"clusters": [{"name": "one", "weight": 1}], "total_weight": 100}
        routes = config.routeConfig("r", [{"match": {"prefix": "/"}, "route": {"weighted_clusters": weighted}}])
        path = self.scratch.write("more.json", document((ROUTE, routes)))

        code, output = runTool("sluicectl", "apply", path, "--control", f"http://127.0.0.1:{self.control.http_port}")

        self.assertEqual(code, 0, output)
        self.assertIn("total_weight: is deprecated", output)
        self.assertNotIn("successor", output)
        self.write("other", document((CLUSTER, config.cluster("two", 1))))
        waitFor(lambda: self.control.status()["resources"] == 3, "the other file")
        self.assertIn("total_weight", json.dumps(self.control.status()["warnings"]))


class FolderTest(ControlCase):
    def test_a_file_of_another_suffix_is_told_and_not_silently_ignored(self):
        self.serve(all=document())
        self.scratch.write("config/routes.toml", "x = 1")
        os.mkdir(self.scratch.join("config/more"))

        waitFor(lambda: "routes.toml: is ignored: its name does not end in" in self.control.log(), "the warning in the log")
        self.assertIn("more: is ignored: folders are not looked into", self.control.log())
        told = [item["file"] for item in self.control.status()["warnings"]]
        self.assertEqual(sorted(os.path.basename(name) for name in told), ["more", "routes.toml"])
        code, output = runTool("sluicectl", "validate", self.control.folder)
        self.assertEqual(code, 0, output)
        self.assertIn("routes.toml: is ignored", output)

    def test_settings_for_a_filter_that_the_chain_lacks_are_refused_over_rds(self):
        routes = config.routeConfig("r", [config.directResponse(200)])
        routes["virtual_hosts"][0]["typed_per_filter_config"] = {"bufer": {"@type": BUFFER_PER_ROUTE, "disabled": True}}
        ads = {"ads": {}, "resource_api_version": "V3"}
        buffer = {"@type": config.TYPE + "envoy.extensions.filters.http.buffer.v3.Buffer", "max_request_bytes": 9}
        filters = [{"name": "buffer", "typed_config": buffer}]
        rds = {"route_config_name": "r", "config_source": ads}
        listener = config.httpListener("front", rds=rds, filters=filters)
        folder = self.scratch.join("folder")
        os.mkdir(folder)
        for files in ({"all": [(LISTENER, listener), (ROUTE, routes)]}, {"l": [(LISTENER, listener)], "r": [(ROUTE, routes)]}):
            for old in os.listdir(folder):
                os.remove(os.path.join(folder, old))
            for name, typed in files.items():
                self.scratch.write(f"folder/{name}.json", document(*typed))

            code, output = runTool("sluicectl", "validate", folder)

            self.assertEqual(code, 1, output)
            self.assertIn("has a filter named 'bufer'", output)
            self.assertIn("did you mean 'buffer'?", output)

    def test_what_grpc_clients_cannot_use_is_warned_of(self):
        manager = config.httpListener("svc", [config.route("static")])["filter_chains"][0]["filters"][0]["typed_config"]
        listener = {"name": "svc", "api_listener": {"api_listener": manager}}
        text = document((LISTENER, listener), (CLUSTER, config.cluster("static", 1)))
        path = self.scratch.write("api.json", text)

        code, output = runTool("sluicectl", "validate", path)

        self.assertEqual(code, 0, output)
        self.assertIn("gRPC clients of API listener 'svc' cannot use this cluster ('static'): is STATIC", output)


class ExposureTest(ControlCase):
    def test_an_address_that_is_open_to_the_network_without_tls_is_warned_of_and_serves_no_secrets(self):
        os.mkdir(self.scratch.join("config"))
        secret = {"name": "keys", "session_ticket_keys": {"keys": [{"inline_string": "x" * 80}]}}
        self.write("all", document((SECRET, secret), (ENDPOINT, config.loadAssignment("e", [1]))))
        self.control = self.start(Control(self.scratch, self.scratch.join("config"), args=["--listen", "0.0.0.0:0"]))
        self.assertIn("[warning]", self.control.log())
        self.assertIn("is open to the network without TLS", self.control.log())
        port = int(self.control.log().split("xDS on 0.0.0.0:")[1].split(",")[0])
        client = self.start(AdsClient(port))

        client.send(SECRET, ["keys"])
        client.send(ENDPOINT, ["e"])

        self.assertEqual(client.receive().type_url, ENDPOINT)
        self.assertTrue(client.inbox.empty())
        self.assertIn("asks for secrets, which are not served", self.control.log())

    def test_a_request_larger_than_any_interest_ends_its_call(self):
        self.serve(all=document((CLUSTER, config.cluster("one", 1))))
        greedy, other = self.start(AdsClient(self.control.xds_port)), self.start(AdsClient(self.control.xds_port))

        greedy.send(ENDPOINT, ["x" * (33 << 20)])
        other.send(CLUSTER)

        with self.assertRaisesRegex(Exception, "RESOURCE_EXHAUSTED"):
            greedy.receive()
        self.assertEqual(other.receive().type_url, CLUSTER)

    def test_on_this_machine_secrets_are_served_without_a_warning(self):
        secret = {"name": "keys", "session_ticket_keys": {"keys": [{"inline_string": "x" * 80}]}}
        self.serve(all=document((SECRET, secret)))
        client = self.start(AdsClient(self.control.xds_port))

        client.send(SECRET, ["keys"])

        self.assertEqual(client.receive().type_url, SECRET)
        self.assertNotIn("open to the network", self.control.log())


if __name__ == "__main__":
    unittest.main()
