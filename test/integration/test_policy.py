"""Policies of several levels in a running proxy: what adds up, what a route may not take away, and routes that change behind the filter."""
import hashlib
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE, routeConfig  # noqa: E402
from harness.sluice import runTool  # noqa: E402

NAME = "sluice.filters.http.policy"
POLICY = "sluice.extensions.filters.http.policy.v1.Policy"
KEY_AUTH = "sluice.extensions.filters.http.key_auth.v1.KeyAuth"
USERS = {"ops": ["staff", "ops"], "dev": ["staff"], "bob": []}  # by name, which is their key, with their groups


def policies(*rules, **fields):
    return {"@type": TYPE + "sluice.extensions.filters.http.policy.v1.PolicySet", "rules": list(rules), **fields}


def withPolicy(entry, *rules, **fields):
    """A route, virtual host or cluster with rules of its own."""
    return {**entry, "typed_per_filter_config": {NAME: policies(*rules, **fields)}}


def requires(name, *groups, **fields):
    return {"name": name, "require": {"groups": list(groups)}, **fields}


def policyFilter(*rules, may_disable=False, **fields):
    set_of_filter = {"rules": list(rules), **fields}
    return httpFilter(NAME, POLICY, policies=set_of_filter, may_disable=may_disable)


def named(name, entry):
    return {"name": name, **entry}


KNOWN = {"name": "known", "require": {"authenticated": True}, "status": 401, "message": "Who is it?"}


class PolicyCase(SluiceTestCase):
    def keyAuth(self):
        consumers = [
            {"name": name, "keys": [{"sha256": hashlib.sha256(name.encode()).hexdigest()}], "groups": groups}
            for name, groups in USERS.items()
        ]
        path = self.scratch.write("consumers.json", json.dumps({"consumers": [*consumers, {"name": "guest"}]}))
        fields = {"consumers": {"filename": path}, "key_sources": [{"header": "x-key"}], "anonymous": "guest"}
        return httpFilter("sluice.filters.http.key_auth", KEY_AUTH, **fields)

    def listener(self, filters, **more):
        self.log = self.scratch.join("access.log")
        log = fileLog(self.log, "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n")
        return httpListener("http", filters=filters, access_log=[log], **more)

    def serve(self, filters, answer=None, clusters=("up",), **more):
        self.upstream = self.start(HttpUpstream(answer))
        targets = [cluster(name, self.upstream.port) for name in clusters]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([self.listener(filters, **more)], targets)))
        self.target = ("127.0.0.1", self.sluice.port("http"))

    def status(self, path, user=None, headers=()):
        return get(self.target, path, [*([("x-key", user)] if user else []), *headers]).status

    def logged(self, *lines):
        def seen():
            with open(self.log) as file:
                text = file.read().splitlines()
            return all(line in text for line in lines)

        waitFor(seen, f"{lines} in the access log")


class LevelsTest(PolicyCase):
    def setUp(self):
        super().setUp()
        shares = {"clusters": [withPolicy({"name": "up", "weight": 1}, requires("share", "ops"))]}
        hosts = [
            withPolicy(
                {
                    "name": "inside",
                    "domains": ["*"],
                    "routes": [
                        named("ops", withPolicy(route("up", "/ops"), requires("operators", "ops"))),
                        named("share", {"match": {"prefix": "/share"}, "route": {"weighted_clusters": shares}}),
                        withPolicy(route("up", "/open"), relax=["staff"]),
                        withPolicy(route("up", "/other"), requires("staff", "ops"), relax=["staff"]),
                        withPolicy(route("up", "/trial"), requires("trial", "nobody", report_only=True)),
                        withPolicy(route("up", "/shut"), default_action="DENY"),
                        route("up"),
                    ],
                },
                requires("staff", "staff", may_relax=True),
            )
        ]
        table = {"typed_per_filter_config": {NAME: policies({"name": "no-trace", "deny": {"expression": "'x-trace' in request.headers"}})}}
        self.serve([self.keyAuth(), policyFilter(KNOWN)], virtual_hosts=hosts, route_config=table)

    def test_rules_of_all_levels_hold(self):
        statuses = lambda path: [self.status(path, user) for user in (None, "bob", "dev", "ops")]  # noqa: E731
        self.assertEqual(statuses("/"), [401, 403, 200, 200])
        self.assertEqual(statuses("/ops"), [401, 403, 403, 200])
        self.assertEqual(statuses("/share"), [401, 403, 403, 200])
        self.assertEqual(statuses("/open"), [401, 200, 200, 200])
        self.assertEqual(statuses("/other"), [401, 403, 403, 200])
        self.assertEqual(statuses("/shut"), [401, 403, 403, 403])
        self.assertEqual(self.status("/ops", "ops", [("x-trace", "1")]), 403)
        self.logged(
            "/ops 401 policy_denied[known@filter]",
            "/ops 403 policy_denied[staff@virtual_host]",
            "/ops 403 policy_denied[operators@route]",
            "/ops 403 policy_denied[no-trace@table]",
            "/share 403 policy_denied[share@cluster]",
            "/other 403 policy_denied[staff@route]",
            "/shut 403 policy_denied[default@route]",
        )
        self.assertEqual(self.sluice.stat("http.http.policy.denied"), 17)
        self.assertEqual(self.sluice.stat("http.http.policy.allowed"), 8)

    def test_rules_on_trial_refuse_nobody(self):
        self.assertEqual(self.status("/trial", "dev"), 200)
        self.assertEqual(self.sluice.stat("http.http.policy.reported"), 1)

    def test_the_answer_is_the_rules(self):
        self.assertEqual(get(self.target, "/").body, b"Who is it?")


class ChangedRouteTest(PolicyCase):
    """The rules of the route that a request really goes to are asked."""

    def test_a_filter_behind_cannot_lead_to_a_route_past_its_rules(self):
        script = "function envoy_on_request(h) h:headers():replace(':path', '/closed'); h:clearRouteCache() end"
        lua = httpFilter(
            "lua", "envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": script}
        )
        routes = [withPolicy(route("up", "/closed"), requires("closed", "ops")), route("up")]
        self.serve([self.keyAuth(), policyFilter(), lua], routes=routes)

        self.assertEqual([self.status("/", user) for user in ("dev", "ops")], [403, 200])
        self.assertEqual(self.upstream.next().path, "/closed")
        self.assertTrue(self.upstream.requests.empty())

    def test_an_internal_redirect_is_asked_anew(self):
        def answer(request):
            return Reply(302, b"", [("Location", "http://test.example/closed")]) if request.path == "/jump" else Reply(200)

        routes = [
            withPolicy(route("up", "/closed"), requires("closed", "ops")),
            route("up", internal_redirect_policy={}),
        ]
        self.serve([self.keyAuth(), policyFilter()], answer, routes=routes)

        self.assertEqual([self.status("/jump", user) for user in ("dev", "ops")], [403, 200])
        self.assertEqual([self.upstream.next().path for _ in range(3)], ["/jump", "/jump", "/closed"])

    def test_a_users_share_is_that_whose_rules_are_asked(self):
        def isNew(user):
            return int.from_bytes(hashlib.sha256(b"s\0" + user.encode()).digest()[:8], "big") < 2**63

        old = next(user for user in USERS if not isNew(user))
        self.assertTrue(any(isNew(user) for user in USERS))
        split = {
            "@type": TYPE + "sluice.route.v1.StickySplit",
            "rollout": "s",
            "keys": [{"metadata": {"filter": "sluice.identity", "path": ["subject"]}}, {"header": "x-first"}],
            "clusters": [
                {"name": "old", "weight": 1},
                withPolicy({"name": "new", "weight": 1}, {"name": "new", "deny": {}}),
            ],
        }
        specifier = {"extension": {"name": "split", "typed_config": split}}
        routes = [{"match": {"prefix": "/"}, "route": {"inline_cluster_specifier_plugin": specifier}}]
        for filters in ([self.keyAuth(), policyFilter()], [policyFilter(), self.keyAuth()]):
            self.serve(filters, routes=routes, clusters=("old", "new"))
            for user in USERS:
                # Who is in front of key_auth goes by the header, too.
                self.assertEqual(self.status("/", user, [("x-first", old)]), 403 if isNew(user) else 200, user)


class RefusedTest(PolicyCase):
    def check(self, words, filters, routes, **more):
        text = json.dumps(bootstrap([self.listener(filters, routes=routes, **more)], [cluster("up", 1)]))
        code, output = runTool("sluice", "-c", self.scratch.write("refused.json", text), "--mode", "validate")
        self.assertEqual(code == 0, words is None, output)
        if words:
            self.assertIn(words, output)

    def test_what_would_go_round_the_rules_is_refused_at_load(self):
        off = {"@type": TYPE + "envoy.config.route.v3.FilterConfig", "disabled": True}
        switched_off = {**route("up"), "typed_per_filter_config": {NAME: off}}
        refusal = "requests may not go round its rules unless it says may_disable"
        self.check(refusal, [policyFilter()], [switched_off])
        self.check(None, [policyFilter(may_disable=True)], [switched_off])
        self.check(refusal, [{**policyFilter(), "disabled": True}], [route("up")])
        skip = {"@type": TYPE + "envoy.extensions.filters.common.matcher.action.v3.SkipFilter"}
        matcher = {"on_no_match": {"action": {"name": "skip", "typed_config": skip}}}
        for may in (False, True):
            around = httpFilter(
                "around",
                "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
                extension_config=policyFilter(may_disable=may),
                xds_matcher=matcher,
            )
            self.check(None if may else refusal, [around], [route("up")])
        discovery = {
            "config_source": {"path_config_source": {"path": self.scratch.write("ecds.json", '{"resources": []}')}},
            "type_urls": [TYPE + POLICY, TYPE + "envoy.extensions.filters.http.buffer.v3.Buffer"],
        }
        self.check("could take the filter away", [{"name": NAME, "config_discovery": discovery}], [route("up")])

    def test_relaxations_that_nobody_grants_are_refused_at_load(self):
        self.check("of the filter holds for all below it", [policyFilter(KNOWN)], [withPolicy(route("up"), relax=["known"])])
        self.check("is no rule of a level above", [policyFilter(KNOWN)], [withPolicy(route("up"), relax=["knwon"])])
        self.check(None, [policyFilter({**KNOWN, "may_relax": True})], [withPolicy(route("up"), relax=["known"])])


class RdsTest(PolicyCase):
    def write(self, *routes):
        table = {"@type": TYPE + "envoy.config.route.v3.RouteConfiguration", **routeConfig("table", list(routes))}
        return self.scratch.write("rds.json", json.dumps({"resources": [table]}))

    def setUp(self):
        super().setUp()
        path = self.write(route("up"))
        source = {"path_config_source": {"path": path}, "resource_api_version": "V3"}
        rules = [KNOWN, requires("staff", "staff", may_relax=True)]
        self.serve([self.keyAuth(), policyFilter(*rules)], rds={"route_config_name": "table", "config_source": source})

    def test_tables_are_refused_by_name_and_those_before_hold(self):
        self.assertEqual([self.status("/", user) for user in (None, "bob", "dev")], [401, 403, 200])
        off = {"@type": TYPE + "envoy.config.route.v3.FilterConfig", "disabled": True}
        refused = {
            "disables the filter": {**route("up"), "typed_per_filter_config": {NAME: off}},
            "of the filter holds for all below it": withPolicy(route("up"), relax=["known"]),
            "is no rule of a level above": withPolicy(route("up"), relax=["of-nobody"]),
        }
        for words, changed in refused.items():
            self.write(changed, route("up", "/never"))
            waitFor(lambda: words in self.sluice.log(), words)
            self.assertEqual([self.status("/", user) for user in (None, "bob", "dev")], [401, 403, 200])
        self.assertIn("table", self.sluice.log())
        self.assertGreaterEqual(self.sluice.stat("http.http.rds.table.update_rejected"), 3)

        self.write(withPolicy(route("up"), relax=["staff"]))
        waitFor(lambda: self.status("/", "bob") == 200, "the table that relaxes what it may")
        self.assertEqual(self.status("/"), 401)
        self.write(withPolicy(route("up"), requires("staff", "ops"), relax=["staff"]))
        waitFor(lambda: self.status("/", "dev") == 403, "the table with a rule of its own")
        self.assertEqual(self.status("/", "ops"), 200)


if __name__ == "__main__":
    unittest.main()
