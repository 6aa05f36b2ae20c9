"""What `sluicectl` tells of a change before it is made, and what a proxy that gets it does to its connections."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client, config  # noqa: E402
from harness.sluice import runTool  # noqa: E402

TYPES = {
    "lds": "envoy.config.listener.v3.Listener",
    "cds": "envoy.config.cluster.v3.Cluster",
    "eds": "envoy.config.endpoint.v3.ClusterLoadAssignment",
    "rds": "envoy.config.route.v3.RouteConfiguration",
}


class ImpactTest(SluiceTestCase):
    def write(self, kind, *resources, name=None):
        body = {"resources": [{"@type": config.TYPE + TYPES[kind], **resource} for resource in resources]}
        return self.scratch.write(f"xds/{name or kind}.json", json.dumps(body))

    def impact(self, before, after, *flags):
        """(exit code, parsed answer)"""
        code, output = runTool("sluicectl", "impact", before, after, "--json", *flags)
        try:
            return code, json.loads(output)
        except ValueError:
            self.fail(f"{code}: {output}")

    def effects(self, answer):
        return {(change["resource"], change["part"]): change["effect"] for change in answer["changes"]}

    def keepAlive(self, port):
        sock = rawConnection(port)
        self.addCleanup(sock.close)
        self.ask(sock)
        return sock

    def ask(self, sock):
        sock.sendall(client.requestBytes("GET", "/"))
        response = readResponse(sock)
        self.assertEqual(response.status, 200)
        return response

    def source(self, path):
        return {"path_config_source": {"path": path}, "resource_api_version": "V3"}

    def test_a_proxy_closes_what_was_said_and_nothing_else(self):
        routes = lambda body: config.routeConfig("table", [directResponse(200, body)])  # noqa: E731
        rds = self.write("rds", routes("before"))
        by_rds = {"route_config_name": "table", "config_source": self.source(rds)}
        listeners = lambda stat_prefix: [  # noqa: E731
            httpListener("stays", rds=by_rds),
            httpListener("changes", [directResponse(200, "ok")], stat_prefix=stat_prefix),
        ]
        lds = self.write("lds", *listeners("one"))
        sluice = self.start(
            Sluice(
                self.scratch,
                {
                    "node": {"id": "n", "cluster": "c"},
                    "admin": {"address": config.socketAddress(0)},
                    "dynamic_resources": {"lds_config": self.source(lds)},
                },
            )
        )
        ports = {name: sluice.port(name) for name in ("stays", "changes")}
        stays, changes = self.keepAlive(ports["stays"]), self.keepAlive(ports["changes"])

        next_routes = self.write("rds", routes("after"), name="next_rds")
        code, answer = self.impact(rds, next_routes)
        self.assertEqual((code, answer["closes"], self.effects(answer)), (0, False, {("RouteConfiguration 'table'", ""): "in_place"}))
        next_listeners = self.write("lds", *listeners("two"), name="next_lds")
        code, answer = self.impact(lds, next_listeners)
        self.assertEqual((code, answer["worst"]), (1, "drains_downstream"))
        self.assertEqual(
            self.effects(answer),
            {
                ("listener 'changes'", ""): "in_place",
                ("listener 'changes'", "socket 127.0.0.1:0"): "in_place",
                ("listener 'changes'", "filter_chains[0]"): "drains_downstream",
            },
        )

        os.rename(next_routes, rds)
        waitFor(lambda: get(ports["stays"]).body == b"after", "the routes")
        os.rename(next_listeners, lds)
        waitFor(lambda: sluice.stat("http.two.downstream_rq_total") or get(ports["changes"]) and False, "the listener")

        self.assertEqual(self.ask(stays).body, b"after")
        self.assertEqual((self.ask(changes).header("connection") or "").lower(), "close")
        self.assertEqual(changes.recv(1), b"")
        self.assertNotEqual((self.ask(stays).header("connection") or "").lower(), "close")
        self.assertEqual(sluice.port("changes"), ports["changes"])

    def test_hosts_that_leave_are_named(self):
        before = self.write("eds", config.loadAssignment("s", [8001, 8002]))
        after = self.write("eds", config.loadAssignment("s", [8002, 8003]), name="next")

        code, output = runTool("sluicectl", "impact", before, after)

        self.assertEqual(code, 1, output)
        self.assertIn("127.0.0.1:8001\n", output)
        self.assertEqual(self.impact(before, before)[0], 0)

    def test_what_is_static_takes_a_restart(self):
        write = lambda name, **more: self.scratch.write(  # noqa: E731
            name, json.dumps(bootstrap([httpListener("http", [route("up")])], [cluster("up", 8001, **more)]))
        )
        before, after = write("a.json"), write("b.json", connect_timeout="3s")

        code, answer = self.impact(before, after)
        self.assertEqual((code, answer["worst"], answer["changes"][0]["fields"]), (1, "restart", ["static_resources"]))
        code, answer = self.impact(before, after, "--by-xds")
        self.assertEqual((code, self.effects(answer)), (1, {("cluster 'up'", ""): "closes_upstream"}))
        self.assertEqual(answer["changes"][0]["fields"], ["connect_timeout"])

    def test_what_cannot_be_compared_is_refused(self):
        good = self.write("cds", cluster("up", 8001))
        start = self.scratch.write("start.json", json.dumps(bootstrap([], [])))
        broken = self.scratch.write("broken.yaml", "resources:\n- {name: c\n")
        unknown = self.scratch.write("unknown.yaml", f'resources:\n- "@type": {config.TYPE}{TYPES["cds"]}\n  nme: c\n')
        for other, told in (
            (start, "two of one kind"),
            (broken, "broken.yaml:"),
            (unknown, "unknown.yaml:3:"),
            (self.scratch.join("absent.yaml"), "absent.yaml"),
        ):
            with self.subTest(other=other):
                code, output = runTool("sluicectl", "impact", good, other)
                self.assertEqual(code, 2, output)
                self.assertIn(told, output)
        self.assertEqual(runTool("sluicectl", "impact", good)[0], 2)

    def test_the_published_table_is_what_the_code_says(self):
        code, output = runTool("sluicectl", "impact", "--fields")

        with open(os.path.join(TOP, "source/ctl/connection_effects.md")) as file:
            published = file.read()
        self.assertEqual((code, output), (0, published), "sluicectl impact --fields > source/ctl/connection_effects.md")


class ExpectationsTest(SluiceTestCase):
    def write(self, name, value):
        return self.scratch.write(name, value if isinstance(value, str) else json.dumps(value))

    def test_a_difference_is_told_with_the_place_of_the_route(self):
        self.write("shop.yaml", bootstrap([httpListener("http", [route("up", "/a"), directResponse(403)])], [cluster("up", 8001)]))
        tests = [
            {"request": {"url": "http://shop/a"}, "expect": {"cluster": "up"}},
            {"request": {"url": "http://shop/b", "method": "POST"}, "expect": {"cluster": "up"}},
            {"request": {"url": "http://shop/b"}, "expect": {"status": 403, "listener": "http"}},
        ]
        path = self.write("t.json", {"config": "shop.yaml", "tests": tests})

        code, output = runTool("sluicectl", "test", path)

        self.assertEqual(code, 1, output)
        self.assertIn("POST http://shop/b\n  cluster: an answer 403", output)
        self.assertIn("3 tests, 1 failed", output)

    def test_files_that_are_wrong_are_refused(self):
        good = {"request": {"url": "http://shop/a"}, "expect": {"cluster": "up"}}
        start = self.write("start.json", bootstrap([], [{"name": ""}]))
        for text, told in (
            ("tests:\n- request: {url: 'http://a/'}\n  expect: {cluser: a}\n", "t.yaml:3:20: tests[0].expect.cluser"),
            ("tests: [", "t.yaml:"),
            (json.dumps({"tests": [good]}), "names no `config`"),
            (json.dumps({"tests": [good], "config": "absent.yaml"}), "absent.yaml"),
            (json.dumps({"tests": [good], "config": os.path.basename(start)}), "start.json:"),
        ):
            with self.subTest(told=told):
                code, output = runTool("sluicectl", "test", self.write("t.yaml", text))
                self.assertEqual(code, 2, output)
                self.assertIn(told, output)
        self.assertEqual(runTool("sluicectl", "test", self.scratch.join("none.yaml"))[0], 2)


class DiffTest(SluiceTestCase):
    RBAC = "envoy.extensions.filters.http.rbac.v3.RBAC"

    def shop(self, name, routes):
        rules = {"action": "ALLOW", "policies": {"all": {"permissions": [{"any": True}], "principals": [{"any": True}]}}}
        filters = [config.httpFilter("rbac", self.RBAC, rules=rules)]
        text = bootstrap([httpListener("http", routes, filters=filters)], [cluster("up", 8001), cluster("more", 8002)])
        return self.scratch.write(name, json.dumps(text))

    def diff(self, *arguments):
        """(exit code, differences)"""
        command = [binary("sluicectl"), "diff", "--json", *arguments]
        run = subprocess.run(command, stdout=subprocess.PIPE, timeout=30)
        self.assertIn(run.returncode, (0, 1))
        return run.returncode, json.loads(run.stdout)["differences"]

    def test_requests_that_go_elsewhere_are_told(self):
        before = self.shop("a.json", [route("up", "/api/"), directResponse(404)])
        after = self.shop("b.json", [route("more", "/api/"), directResponse(404)])

        code, differences = self.diff(before, after)

        self.assertEqual((code, [each["changes"] for each in differences]), (1, [["goes to: 'up' becomes 'more'"]]))
        self.assertEqual(self.diff(before, before), (0, []))
        self.assertEqual(self.diff(before, after, "--security"), (0, []))

    def test_a_route_that_is_less_protected_is_named(self):
        off = {"@type": config.TYPE + "envoy.config.route.v3.FilterConfig", "disabled": True}
        before = self.shop("a.json", [{**route("up", "/api/"), "name": "api"}])
        after = self.shop("b.json", [{**route("up", "/api/"), "name": "api", "typed_per_filter_config": {"rbac": off}}])

        code, differences = self.diff(before, after, "--security")

        self.assertEqual((code, len(differences)), (1, 1))
        self.assertIn("route 'api' of virtual host 'all'", differences[0]["changes"][0])
        self.assertIn("filter 'rbac' is off", differences[0]["changes"][1])

    def test_a_credential_that_a_route_asks_for_is_not_printed(self):
        match = {"prefix": "/", "headers": [{"name": "x-api-key", "string_match": {"exact": "squirrel"}}]}
        before = self.shop("a.json", [route("up", match=match), directResponse(404)])
        after = self.shop("b.json", [route("more", match=match), directResponse(404)])

        code, output = runTool("sluicectl", "diff", before, after)

        self.assertEqual(code, 1, output)
        self.assertIn("-H 'x-api-key: [redacted]'", output)
        self.assertNotIn("squirrel", output)

    def test_requests_of_a_file_are_asked_too_and_bad_ones_refused(self):
        regex = lambda target: {"match": {"safe_regex": {"regex": "/[0-9]+"}}, "route": {"cluster": target}}  # noqa: E731
        before = self.shop("a.json", [regex("up"), directResponse(404)])
        after = self.shop("b.json", [regex("more"), directResponse(404)])
        requests = self.scratch.write("requests", "# numbers\n\nGET http://any.example/12\n")

        code, output = runTool("sluicectl", "diff", before, after)
        self.assertEqual((code, "--requests FILE asks for more" in output), (0, True), output)
        code, differences = self.diff(before, after, "--requests", requests)
        self.assertEqual((code, differences[0]["examples"]), (1, ["GET http://any.example/12"]))
        bad = self.scratch.write("bad", "GET http://any.example/12\nhere\n")
        code, output = runTool("sluicectl", "diff", before, after, "--requests", bad)
        self.assertEqual(code, 2, output)
        self.assertIn("bad:2:1: ", output)


if __name__ == "__main__":
    unittest.main()
