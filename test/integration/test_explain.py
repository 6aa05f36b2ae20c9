"""`sluicectl explain` and `policy` against what a running proxy does with the same requests."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE, routeConfig  # noqa: E402
from harness.sluice import runTool  # noqa: E402

POLICY = "sluice.extensions.filters.http.policy.v1.Policy"
CLUSTERS = ("web", "api", "beta", "fast")


def named(name, entry, **more):
    return {"name": name, **entry, **more}


def header(name, **match):
    return {"prefix": "/", "headers": [{"name": name, **match}]}


def split(**action):
    weights = [{"name": "web", "weight": 30}, {"name": "api", "weight": 70}]
    return {"match": {"prefix": "/split"}, "route": {"weighted_clusters": {"clusters": weights, **action}}}


SHOP = [
    named("beta", route("beta", match=header("x-beta", present_match=True))),
    named("exact", route("fast", match={"path": "/exact"})),
    named("api", route("api", match={"path_separated_prefix": "/api"}, prefix_rewrite="/v1")),
    named("regex", route("fast", match={"safe_regex": {"regex": "/item/[0-9]+"}})),
    named("query", route("fast", match={"prefix": "/find", "query_parameters": [{"name": "q", "present_match": True}]})),
    named("old", {"match": {"prefix": "/old"}, "redirect": {"path_redirect": "/new"}}),
    named("tea", {"match": {"path": "/tea"}, "direct_response": {"status": 418}}),
    named("named", {"match": {"prefix": "/named"}, "route": {"cluster_header": "x-cluster"}}),
    named("split", split(header_name="x-random")),
    named("lower", route("fast", match={"prefix": "/Lower", "case_sensitive": False})),
    named("rest", route("web", match={"prefix": "/web"})),
]
HOSTS = [
    {"name": "shop", "domains": ["shop.example", "*.shop.example"], "routes": SHOP},
    {"name": "other", "domains": ["other.*"], "routes": [named("other", route("api"))]},
]
# (method, host, path, headers)
REQUESTS = [
    ("GET", "shop.example", "/web/x", []),
    ("GET", "SHOP.example", "/web", []),
    ("GET", "a.shop.example", "/web", []),
    ("GET", "shop.example", "/api", []),
    ("GET", "shop.example", "/api/users?q=1", []),
    ("GET", "shop.example", "/apis", []),
    ("GET", "shop.example", "/x/../api/%75sers", []),
    ("GET", "shop.example", "/../x", []),
    ("GET", "shop.example", "/api", [("x-beta", "1")]),
    ("POST", "shop.example", "/exact", []),
    ("GET", "shop.example", "/exact/", []),
    ("GET", "shop.example", "/item/12", []),
    ("GET", "shop.example", "/item/x", []),
    ("GET", "shop.example", "/find?q=1", []),
    ("GET", "shop.example", "/find", []),
    ("GET", "shop.example", "/old", []),
    ("GET", "shop.example", "/tea", []),
    ("GET", "shop.example", "/named", [("x-cluster", "api")]),
    ("GET", "shop.example", "/named", [("x-cluster", "none")]),
    ("GET", "shop.example", "/split", [("x-random", "29")]),
    ("GET", "shop.example", "/split", [("x-random", "30")]),
    ("GET", "shop.example", "/lOWER/x", []),
    ("GET", "other.example", "/anything", []),
    ("GET", "nowhere.example", "/web", []),
]
LOG_FORMAT = {
    "json_format": {
        "route": "%ROUTE_NAME%",
        "host": "%CEL(xds.virtual_host_name)%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
    }
}


def word(value):
    """What a log says where there is nothing."""
    return "" if value in (None, "-") else value


class ExplainCase(SluiceTestCase):
    def tool(self, *arguments):
        code, output = runTool("sluicectl", *arguments, "--json")
        self.assertEqual(code, 0, output)
        return json.loads(output)

    def adminUrl(self, sluice):
        host, port = sluice.adminTarget()
        return f"http://{host}:{port}"

    def explain(self, method, host, path, headers, *where):
        options = [option for name, value in headers for option in ("-H", f"{name}: {value}")]
        return self.tool("explain", f"{method} http://{host}{path}", *options, *where)


class AgreementTest(ExplainCase):
    def setUp(self):
        super().setUp()
        self.log = self.scratch.join("access.log")
        ups = {name: self.start(HttpUpstream()) for name in CLUSTERS}
        listener = httpListener("edge", virtual_hosts=HOSTS, access_log=[fileLog(self.log, LOG_FORMAT)])
        clusters = [cluster(name, up.port) for name, up in ups.items()]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], clusters)))

    def logged(self, count):
        def lines():
            with open(self.log) as file:
                entries = [json.loads(line) for line in file]
            return entries if len(entries) == count else None

        return waitFor(lines, f"{count} entries of the access log")

    def test_what_is_told_of_a_request_is_what_becomes_of_it(self):
        port = self.sluice.port("edge")
        for method, host, path, headers in REQUESTS:
            request(port, method, path, headers, host=host)

        entries = self.logged(len(REQUESTS))

        for asked, entry in zip(REQUESTS, entries):
            for where in (("--file", self.sluice.config_path), ("--admin", self.adminUrl(self.sluice))):
                with self.subTest(asked=asked, where=where[0]):
                    told = self.explain(*asked, *where)
                    self.assertEqual(told.get("route", {}).get("name", ""), word(entry["route"]))
                    self.assertEqual(told.get("virtual_host", {}).get("name", ""), word(entry["host"]))
                    if "answer" in told:
                        self.assertEqual(told["answer"]["status"], int(entry["status"]))
                        self.assertEqual(told["answer"]["details"], entry["details"])
                    elif entry["details"] == "cluster_not_found":
                        self.assertIn("cluster_not_found", "".join(told["notes"]))
                    else:
                        self.assertEqual(told["forward"]["cluster"], entry["cluster"])

    def test_live_hosts_have_their_ports_and_health(self):
        told = self.explain("GET", "shop.example", "/web", [], "--admin", self.adminUrl(self.sluice))

        [hosts] = [each["hosts"] for each in told["clusters"] if each["name"] == "web"]
        self.assertEqual([host["health"] for host in hosts], ["healthy"])

    def test_text_is_for_people(self):
        request_line = "GET http://shop.example/api"

        code, output = runTool("sluicectl", "explain", request_line, "--file", self.sluice.config_path)

        self.assertEqual(code, 0, output)
        self.assertRegex(output, r"(?m)^route +#2 'api': path_separated_prefix /api .*sluice-\d+\.yaml:\d+\)$")
        self.assertRegex(output, r"(?m)^ +not #0 'beta': header x-beta does not match$")
        self.assertRegex(output, r"(?m)^sent as +shop.example/v1$")

    def test_what_cannot_be_told_is_said_why(self):
        admin = self.adminUrl(self.sluice)
        cases = [
            (["explain", "GET /path", "--admin", admin], 2, "begin with http://"),
            (["explain", "http://a/", "-H", "nonsense", "--admin", admin], 2, "header 1: has no colon"),
            (["explain", "http://a/", "--listener", "none", "--admin", admin], 1, "no listener is named 'none'"),
            (["explain", "GET /path", "--file", self.sluice.config_path], 2, "begin with http://"),
            (["explain", "http://a/", "--file", self.scratch.join("absent.yaml")], 1, "refused"),
            (["explain", "http://a/", "--admin", "http://127.0.0.1:1"], 3, "127.0.0.1:1"),
            (["explain"], 2, "takes one request"),
            (["policy", "a"], 2, "takes a HOST and a PATH"),
        ]
        for arguments, code, text in cases:
            with self.subTest(arguments=arguments[:4]):
                got, output = runTool("sluicectl", *arguments)
                self.assertEqual(got, code, output)
                self.assertIn(text, output)

    def test_the_page_takes_questions_by_get_and_by_post(self):
        target = self.sluice.adminTarget()
        query = "request=http%3A%2F%2Fshop.example%2Fweb"

        by_get = request(target, "GET", "/explain?" + query)
        by_post = request(target, "POST", "/explain", body=query.encode())
        of_a_page = request(target, "POST", "/explain", [("sec-fetch-site", "cross-site")], query.encode())
        wrong = request(target, "GET", "/explain?colour=red")

        self.assertEqual(json.loads(by_get.body)["route"]["name"], "rest")
        self.assertEqual(json.loads(by_post.body)["route"]["name"], "rest")
        self.assertEqual((of_a_page.status, wrong.status), (403, 400))


class DynamicTest(ExplainCase):
    def test_routes_of_a_control_plane_are_asked_of_the_proxy(self):
        path = self.scratch.write(
            "routes.json",
            json.dumps(
                {
                    "version_info": "1",
                    "resources": [
                        {
                            "@type": TYPE + "envoy.config.route.v3.RouteConfiguration",
                            **routeConfig("far", [named("found", route("web"))]),
                        }
                    ],
                }
            ),
        )
        rds = {"route_config_name": "far", "config_source": {"path_config_source": {"path": path}}}
        up = self.start(HttpUpstream())
        config = bootstrap([httpListener("edge", rds=rds)], [cluster("web", up.port)])
        sluice = self.start(Sluice(self.scratch, config))
        self.assertEqual(get(sluice.port("edge")).status, 200)

        told = self.explain("GET", "a.example", "/", [], "--admin", self.adminUrl(sluice))
        code, output = runTool("sluicectl", "explain", "http://a.example/", "--file", sluice.config_path)

        self.assertEqual(told["route"]["name"], "found")
        self.assertEqual(told["virtual_host"]["domain"], "*")
        self.assertEqual((told["virtual_host"]["table"], told["forward"]["cluster"]), ("far", "web"))
        self.assertEqual(code, 1)
        self.assertIn("'far'", output)


class PolicyChainTest(ExplainCase):
    def test_rules_are_told_with_where_they_stand(self):
        name = "sluice.filters.http.policy"
        rules = [
            {"name": "known", "require": {"authenticated": True}, "may_relax": True},
            {"name": "no-bots", "deny": {"permissions": [{"header": {"name": "x-bot", "present_match": True}}]}},
        ]
        of_route = {"@type": TYPE + "sluice.extensions.filters.http.policy.v1.PolicySet", "relax": ["known"]}
        routes = [
            named("open", route("web", "/open"), typed_per_filter_config={name: of_route}),
            named("rest", route("web")),
        ]
        policy = httpFilter(name, POLICY, policies={"rules": rules})
        buffer = httpFilter("buffer", "envoy.extensions.filters.http.buffer.v3.Buffer", max_request_bytes=1000)
        listener = httpListener("edge", routes, filters=[buffer, policy])
        path = self.scratch.write("edge.yaml", json.dumps(bootstrap([listener], [cluster("web", 1)]), indent=1))

        told = self.tool("policy", "a.example", "/open", "--file", path)
        code, text = runTool("sluicectl", "policy", "a.example", "/", "--file", path)

        [shown] = told["filters"]
        self.assertEqual((shown["name"], shown["enabled"]), (name, True))
        known, bots = shown["rules"]
        self.assertIn("relaxed by route 'open'", known["text"])
        self.assertTrue(known["place"]["path"].endswith("policies.rules[0]"), known)
        self.assertGreater(known["place"]["line"], 1)
        self.assertIn("deny no-bots@filter", bots["text"])
        self.assertEqual(code, 0, text)
        self.assertIn("require known@filter", text)
        self.assertNotIn("relaxed", text)


if __name__ == "__main__":
    unittest.main()
