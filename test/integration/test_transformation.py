"""HTTP filters that change messages or tell others what is in them, in a running proxy."""
import base64
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, LISTENER, AdsServer  # noqa: E402
from harness.pki import contentOf  # noqa: E402
from harness.upstream import freePort  # noqa: E402

FILTERS = "envoy.extensions.filters.http."


def shown(**values):
    """A route's part that shows what formats make, as headers of the answer."""
    return [{"header": {"key": name.replace("_", "-"), "value": value}} for name, value in values.items()]


class TransformationCase(SluiceTestCase):
    def serve(self, *filters, routes=None, answer=None, clusters=(), **hcm):
        self.upstream = self.start(HttpUpstream(answer) if answer else HttpUpstream())
        listener = httpListener("http", routes or [route("up")], filters=filters, **hcm)
        up = cluster("up", self.upstream.port)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [up, *clusters])))
        self.port = self.sluice.port("http")
        return self.port


class HeaderToMetadataTest(TransformationCase):
    def test_headers_and_cookies_are_there_for_logs_and_what_is_removed_does_not_reach_the_host(self):
        rules = [
            {
                "header": "x-version",
                "remove": True,
                "on_header_present": {
                    "metadata_namespace": "m",
                    "key": "version",
                    "regex_value_rewrite": {"pattern": {"regex": "^v?([0-9]+).*$"}, "substitution": "n\\1"},
                },
                "on_header_missing": {"metadata_namespace": "m", "key": "version", "value": "stable"},
            },
            {"cookie": "who", "on_header_present": {"metadata_namespace": "m", "key": "who", "encode": "BASE64"}},
        ]
        seen = shown(x_version_seen="%DYNAMIC_METADATA(m:version)%", x_who="%DYNAMIC_METADATA(m:who)%")
        convert = httpFilter("convert", FILTERS + "header_to_metadata.v3.Config", request_rules=rules, stat_prefix="c")
        port = self.serve(convert, routes=[{**route("up"), "response_headers_to_add": seen}])

        cookie = "a=b; who=" + base64.b64encode(b"ada").decode().rstrip("=")
        first = request(port, "GET", "/", [("x-version", "v12.3"), ("cookie", cookie)])
        second = get(port)

        self.assertEqual((first.header("x-version-seen"), first.header("x-who")), ("n12", "ada"))
        self.assertEqual(second.header("x-version-seen"), "stable")
        self.assertIsNone(self.upstream.next().header("x-version"))
        self.assertEqual(self.sluice.stat("http_filter_name.c.request_rules_processed"), 4)
        self.assertEqual(self.sluice.stat("http_filter_name.c.request_header_not_found"), 1)


class SetMetadataTest(TransformationCase):
    def test_values_of_a_route_replace_those_of_the_filter(self):
        kind = FILTERS + "set_metadata.v3.Config"

        def entries(value):
            return [{"metadata_namespace": "m", "value": value}]

        add = shown(x_seen="%DYNAMIC_METADATA(m:a)%")
        own = {"@type": config.TYPE + kind, "metadata": entries({"a": "route"})}
        routes = [
            {**route("up", prefix="/own"), "typed_per_filter_config": {"set": own}, "response_headers_to_add": add},
            {**route("up"), "response_headers_to_add": add},
        ]
        port = self.serve(httpFilter("set", kind, metadata=entries({"a": "filter"})), routes=routes)

        self.assertEqual(get(port, "/").header("x-seen"), "filter")
        self.assertEqual(get(port, "/own").header("x-seen"), "route")


class HeaderMutationTest(TransformationCase):
    def test_parameters_of_the_query_are_changed_and_encoded(self):
        changes = [
            {"remove": "debug"},
            {"append": {"action": "OVERWRITE_IF_EXISTS_OR_ADD", "record": {"key": "user", "value": "%REQ(x-user)%"}}},
        ]
        kind = FILTERS + "header_mutation.v3.HeaderMutation"
        port = self.serve(httpFilter("change", kind, mutations={"query_parameter_mutations": changes}))

        request(port, "GET", "/p?keep=%41&debug=1&user=mallory", [("x-user", "a&b c")])

        self.assertEqual(self.upstream.next().path, "/p?keep=%41&user=a%26b%20c")


class JsonToMetadataTest(TransformationCase):
    JSON = [("content-type", "application/json")]

    def rules(self, *selectors):
        target = {"metadata_namespace": "m", "key": "k"}
        rule = {
            "selectors": [{"key": key} for key in selectors],
            "on_present": target,
            "on_missing": {**target, "value": "missing"},
            "on_error": {**target, "value": "error"},
        }
        return {"rules": [rule]}

    def test_a_value_of_the_body_chooses_the_route_and_the_body_arrives_as_it_was(self):
        kind = FILTERS + "json_to_metadata.v3.JsonToMetadata"
        wanted = {"filter": "m", "path": [{"key": "k"}], "value": {"string_match": {"exact": "large"}}}
        routes = [
            config.directResponse(429, "too large a model"),
            {**route("up"), "response_headers_to_add": shown(x_seen="%DYNAMIC_METADATA(m:k)%")},
        ]
        routes[0]["match"]["dynamic_metadata"] = [wanted]
        port = self.serve(httpFilter("read", kind, request_rules=self.rules("model", "name")), routes=routes)
        small, large = (json.dumps({"x": [1], "model": {"name": name}}).encode() for name in ("small", "large"))

        fine = request(port, "POST", "/", self.JSON, [small[:7], small[7:]])
        refused = request(port, "POST", "/", self.JSON, large)
        broken = request(port, "POST", "/", self.JSON, b"{")

        self.assertEqual((fine.status, fine.header("x-seen")), (200, "small"))
        self.assertEqual(self.upstream.next().body, small)
        self.assertEqual((refused.status, refused.body), (429, b"too large a model"))
        self.assertEqual(broken.header("x-seen"), "error")
        self.assertEqual(self.sluice.stat("json_to_metadata.rq.success"), 2)
        self.assertEqual(self.sluice.stat("json_to_metadata.rq.invalid_json_body"), 1)

    def test_what_answers_say_is_in_the_access_log(self):
        kind = FILTERS + "json_to_metadata.v3.JsonToMetadata"
        log = self.scratch.join("access.log")
        port = self.serve(
            httpFilter("read", kind, response_rules=self.rules("cost")),
            answer=lambda request: Reply(200, b'{"cost": 7}', self.JSON),
            access_log=[fileLog(log, "%DYNAMIC_METADATA(m:k)%\n")],
        )

        self.assertEqual(get(port).body, b'{"cost": 7}')

        waitFor(lambda: contentOf(log) == "7\n", "the entry with the value")


class TransformTest(TransformationCase):
    KIND = FILTERS + "transform.v3.TransformConfig"
    JSON = [("content-type", "application/json")]

    def test_the_model_of_a_body_chooses_the_route_and_both_bodies_are_changed(self):
        def header(name, value):
            return {"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}

        def body(**members):
            return {"body_format": {"json_format": members}}

        routes = [config.directResponse(429, "too large a model"), route("up")]
        routes[0]["match"]["headers"] = [{"name": "x-model", "string_match": {"exact": "large"}}]
        change = httpFilter(
            "change",
            self.KIND,
            request_transformation={
                "headers_mutations": [header("x-model", "%REQUEST_BODY(model)%")],
                "body_transformation": body(model="m-%REQUEST_BODY(model)%"),
            },
            response_transformation={
                "headers_mutations": [header("x-tokens", "%RESPONSE_BODY(usage:tokens)%")],
                "body_transformation": body(model="%REQUEST_BODY(model)%"),
            },
            clear_route_cache=True,
        )
        answer = Reply(200, b'{"usage": {"tokens": 7}, "model": "m-small"}', self.JSON)
        port = self.serve(change, routes=routes, answer=lambda request: answer)

        fine = request(port, "POST", "/", self.JSON, [b'{"n": 1.0, "mo', b'del": "small"}'])
        refused = request(port, "POST", "/", self.JSON, b'{"model": "large"}')
        ambiguous = request(port, "POST", "/", self.JSON, b'{"model": "large", "model": "small"}')

        seen = self.upstream.next()
        self.assertEqual((seen.header("x-model"), seen.body), ("small", b'{"n":1.0,"model":"m-small"}'))
        self.assertEqual((fine.header("x-tokens"), fine.body), ("7", b'{"usage":{"tokens": 7},"model":"small"}'))
        self.assertEqual((refused.status, refused.body), (429, b"too large a model"))
        self.assertEqual(ambiguous.status, 200)
        self.assertIsNone(self.upstream.next().header("x-model"))
        self.assertEqual(self.sluice.stat("http.http.http_transform.rq_transformed"), 2)


class CustomResponseTest(TransformationCase):
    KIND = FILTERS + "custom_response.v3.CustomResponse"
    POLICIES = config.TYPE + "envoy.extensions.http.custom_response."

    def takes(self, by_status):
        """Settings with a policy for each status."""
        status = {"@type": config.TYPE + "envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput"}
        leads = {code: {"action": {"name": "a", "typed_config": policy}} for code, policy in by_status.items()}
        tree = {"input": {"name": "status", "typed_config": status}, "exact_match_map": {"map": leads}}
        return {"custom_response_matcher": {"matcher_tree": tree}}

    def local(self, **fields):
        return {"@type": self.POLICIES + "local_response_policy.v3.LocalResponsePolicy", **fields}

    def redirect(self, **fields):
        return {"@type": self.POLICIES + "redirect_policy.v3.RedirectPolicy", **fields}

    def test_answers_of_hosts_and_of_the_proxy_are_made_anew(self):
        sorry = self.local(
            status_code=503,
            body_format={"json_format": {"was": "%RESP(x-reason)%", "path": "%REQ(:path)%"}},
            response_headers_to_add=[{"header": {"key": "retry-after", "value": "30"}}],
        )
        port = self.serve(
            httpFilter("custom", self.KIND, **self.takes({"500": sorry, "404": self.local(body={"inline_string": "gone"})})),
            routes=[route("up", prefix="/up")],
            answer=lambda request: Reply(500, b"a secret trace", [("x-reason", "bug")]),
        )

        made, own = get(port, "/up/a"), get(port, "/other")

        self.assertEqual((made.status, made.header("retry-after")), (503, "30"))
        self.assertEqual(json.loads(made.body), {"was": "bug", "path": "/up/a"})
        self.assertEqual((own.status, own.body), (404, b"gone"))

    def test_an_answer_comes_from_where_the_route_table_leads(self):
        pages = self.start(HttpUpstream(lambda request: Reply(200, b"<p>sorry", [("content-type", "text/html")])))
        hosts = [
            {"name": "pages", "domains": ["pages.internal"], "routes": [route("pages")]},
            {"name": "all", "domains": ["*"], "routes": [route("up")]},
        ]
        policy = self.redirect(uri="http://pages.internal/sorry.html", status_code=503)
        port = self.serve(
            httpFilter("custom", self.KIND, **self.takes({"500": policy})),
            virtual_hosts=hosts,
            clusters=[cluster("pages", pages.port)],
            answer=lambda request: Reply(500, b"a secret trace"),
        )

        answer = request(port, "POST", "/buy", [("x-user", "ada")], b"body")
        asked = pages.next()

        self.assertEqual((answer.status, answer.body, answer.header("content-type")), (503, b"<p>sorry", "text/html"))
        self.assertEqual((asked.method, asked.path, asked.header("host")), ("GET", "/sorry.html", "pages.internal"))
        self.assertEqual((asked.header("x-user"), asked.body), ("ada", b""))
        pages.stop()
        self.assertEqual((get(port).status, get(port).body), (500, b"a secret trace"))


class CompositeTest(TransformationCase):
    def by_path(self, **actions):
        """A tree that leads from paths to actions."""
        header = {"@type": config.TYPE + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": ":path"}
        leads = {f"/{path}": {"action": {"name": "a", "typed_config": action}} for path, action in actions.items()}
        return {"matcher_tree": {"input": {"name": "path", "typed_config": header}, "prefix_match_map": {"map": leads}}}

    def execute(self, entry, **fields):
        return {"@type": config.TYPE + FILTERS + "composite.v3.ExecuteFilterAction", "typed_config": entry, **fields}

    def mark(self, value):
        added = {"append": {"header": {"key": "x-mark", "value": value}}}
        mutations = {"request_mutations": [added], "response_mutations": [added]}
        return httpFilter("mark", FILTERS + "header_mutation.v3.HeaderMutation", mutations=mutations)

    def test_each_request_goes_through_the_filter_that_is_chosen_for_it(self):
        bounded = httpFilter("buffer", FILTERS + "buffer.v3.Buffer", max_request_bytes=10)
        matcher = self.by_path(a=self.execute(self.mark("one")), b=self.execute(bounded))
        port = self.serve(httpFilter("choose", FILTERS + "composite.v3.Composite", matcher=matcher))

        marked = get(port, "/a")
        seen = self.upstream.next()
        small, large = (request(port, "POST", "/b", body=[b"x" * 6, b"y" * size]) for size in (4, 5))
        other = request(port, "POST", "/c", body=[b"x" * 20])

        self.assertEqual((marked.header("x-mark"), seen.header("x-mark")), ("one", "one"))
        self.assertEqual((small.status, large.status), (200, 413))
        self.assertEqual((other.status, other.header("x-mark")), (200, None))
        self.assertEqual(self.sluice.stat("http.http.composite.filter_delegation_success"), 3)

    def test_any_filter_may_be_passed_by_some_requests(self):
        skip = {"@type": config.TYPE + "envoy.extensions.filters.common.matcher.action.v3.SkipFilter"}
        kind = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"
        around = httpFilter("mark", kind, extension_config=self.mark("one"), xds_matcher=self.by_path(health=skip))
        port = self.serve(around)

        self.assertEqual(get(port, "/").header("x-mark"), "one")
        self.assertIsNone(get(port, "/health").header("x-mark"))


class CredentialTest(TransformationCase):
    def test_requests_get_a_secret_that_clients_do_not_have(self):
        self.upstream = self.start(HttpUpstream())
        generic = {
            "@type": config.TYPE + "envoy.extensions.http.injected_credentials.generic.v3.Generic",
            "credential": {"name": "token"},
            "header_value_prefix": "Bearer ",
        }
        inject = httpFilter(
            "inject", FILTERS + "credential_injector.v3.CredentialInjector", credential={"name": "c", "typed_config": generic}
        )
        text = bootstrap([httpListener("http", [route("up")], filters=[inject])], [cluster("up", self.upstream.port)])
        text["static_resources"]["secrets"] = [{"name": "token", "generic_secret": {"secret": {"inline_string": "s3cr3t-token\n"}}}]
        sluice = self.start(Sluice(self.scratch, text))
        port = sluice.port("http")

        get(port)
        request(port, "GET", "/", [("authorization", "mine")])

        self.assertEqual([self.upstream.next().header("authorization") for _ in range(2)], ["Bearer s3cr3t-token", "mine"])
        self.assertEqual(sluice.stat("http.http.credential_injector.injected"), 1)
        self.assertEqual(sluice.stat("http.http.credential_injector.already_exists"), 1)
        self.assertNotIn("s3cr3t", sluice.admin("/config_dump").body.decode())


class DiscoveryTest(SluiceTestCase):
    """Filters whose configuration comes by ECDS."""

    EXTENSION = config.TYPE + "envoy.config.core.v3.TypedExtensionConfig"
    KIND = config.TYPE + FILTERS + "header_mutation.v3.HeaderMutation"

    def mark(self, value):
        added = {"append": {"header": {"key": "x-mark", "value": value}}}
        return {"@type": self.KIND, "mutations": {"response_mutations": [added]}}

    arguments = ()

    def startProxy(self, listener, delta=False):
        self.server.set(CLUSTER, cluster("up", self.upstream.port))
        self.server.set(LISTENER, listener)
        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.server.port, delta), args=self.arguments, wait=False))

    def listener(self, source="ads", hcm=None, **more):
        discovery = {"config_source": {source: {}, "resource_api_version": "V3"}, "type_urls": [self.KIND], **more}
        marks = {"name": "marks", "config_discovery": discovery}
        return httpListener("http", [route("up")], address=config.socketAddress(self.port), filters=[marks], **(hcm or {}))

    def serve(self, delta=False, **more):
        self.server = self.start(AdsServer())
        self.upstream = self.start(HttpUpstream())
        self.port = freePort()
        self.startProxy(self.listener(**more), delta)

    def publish(self, typed_config):
        self.server.set(self.EXTENSION, {"name": "marks", "typed_config": typed_config})

    def waitForMark(self, value):
        def seen():
            self.sluice.mustRun()
            return get(self.port).header("x-mark") == value

        waitFor(seen, f"the mark {value!r}")

    def test_a_filter_is_configured_anew_while_its_listener_serves(self):
        self.serve()
        self.publish(self.mark("one"))
        self.waitForMark("one")

        self.publish(self.mark("two"))
        self.waitForMark("two")
        self.publish({"@type": self.KIND, "mutations": {"response_mutations": [{"remove": ":status"}]}})
        verdict = waitFor(lambda: self.server.verdict(self.EXTENSION), "the refusal")

        self.assertIn("response_mutations[0].remove", verdict)
        self.assertEqual(get(self.port).header("x-mark"), "two")
        self.assertEqual(self.sluice.stat("extension_config_discovery.http_filter.marks.config_reload"), 2)
        self.assertEqual(self.sluice.stat("extension_config_discovery.http_filter.marks.config_fail"), 1)
        self.assertEqual(self.sluice.stat("listener_manager.listener_modified"), 0)

    def test_what_is_taken_away_is_missed_and_no_listener_waits_for_it(self):
        self.arguments = ("--cluster-wait-ms", "200")
        self.serve(delta=True)
        self.publish(self.mark("one"))
        self.waitForMark("one")

        self.server.set(self.EXTENSION)
        waitFor(lambda: get(self.port).status == 500, "the end of the configuration")
        self.assertIn("configuration of filter 'marks' was removed 200 ms ago and is named still", self.sluice.log())
        self.server.set(LISTENER, self.listener(hcm={"server_name": "other"}))
        waitFor(lambda: get(self.port).header("server") == "other", "the changed listener")

        self.assertEqual(get(self.port).status, 500)
        self.publish(self.mark("two"))
        self.waitForMark("two")

    def test_a_configuration_comes_from_where_its_listener_comes_from(self):
        self.serve(source="self")
        self.publish(self.mark("one"))
        self.waitForMark("one")

    def test_a_network_filter_is_configured_anew_for_new_connections(self):
        self.server = self.start(AdsServer())
        self.upstream = self.start(HttpUpstream())
        self.port = freePort()
        kind = config.TYPE + "envoy.extensions.filters.network.rbac.v3.RBAC"
        everybody = {"permissions": [{"any": True}], "principals": [{"any": True}]}

        def gate(action):
            return {"@type": kind, "stat_prefix": "gate", "rules": {"action": action, "policies": {"p": everybody}}}

        source = {"ads": {}, "resource_api_version": "V3"}
        discovered = {"name": "marks", "config_discovery": {"config_source": source, "type_urls": [kind]}}
        listener = httpListener("http", [route("up")], address=config.socketAddress(self.port))
        listener["filter_chains"][0]["filters"].insert(0, discovered)
        self.publish(gate("ALLOW"))
        self.startProxy(listener)

        def served():
            self.sluice.mustRun()
            try:
                return get(self.port).status == 200
            except (ConnectionError, EOFError):
                return False

        waitFor(served, "the listener")
        self.publish(gate("DENY"))
        waitFor(lambda: not served(), "the gate to close")
        self.publish(gate("ALLOW"))
        waitFor(served, "the gate to open")
        self.assertEqual(self.sluice.stat("extension_config_discovery.network_filter.marks.config_reload"), 3)

    def test_a_listener_filter_is_configured_anew_for_new_connections(self):
        self.server = self.start(AdsServer())
        self.upstream = self.start(HttpUpstream())
        self.port = freePort()
        kind = config.TYPE + "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"
        source = {"ads": {}, "resource_api_version": "V3"}
        discovered = {"name": "marks", "config_discovery": {"config_source": source, "type_urls": [kind]}}
        listener = httpListener("http", [route("up")], address=config.socketAddress(self.port))
        listener["listener_filters"] = [discovered]
        self.startProxy(listener)
        waitFor(lambda: self.sluice.stat("listener_manager.total_listeners_warming") == 1, "the listener to warm")
        self.publish({"@type": kind, "allow_requests_without_proxy_protocol": True})

        def served():
            self.sluice.mustRun()
            try:
                return get(self.port).status == 200
            except (ConnectionError, EOFError):
                return False

        waitFor(served, "the listener")
        self.publish({"@type": kind})
        waitFor(lambda: not served(), "the filter that wants a header")
        self.publish({"@type": kind, "allow_requests_without_proxy_protocol": True})
        waitFor(served, "the filter that does not")
        self.publish({"@type": self.KIND})
        verdict = waitFor(lambda: self.server.verdict(self.EXTENSION), "the refusal")
        self.assertIn("type_urls allows", verdict)
        self.assertTrue(served())
        self.assertEqual(self.sluice.stat("extension_config_discovery.tcp_listener_filter.marks.config_reload"), 3)
        self.assertEqual(self.sluice.stat("listener_manager.listener_modified"), 0)

    def test_a_default_serves_until_a_configuration_comes(self):
        self.serve(default_config=self.mark("default"), apply_default_config_without_warming=True)

        self.waitForMark("default")
        self.publish(self.mark("one"))
        self.waitForMark("one")


class AggregateTest(TransformationCase):
    KIND = "sluice.extensions.filters.http.aggregate.v1.Aggregate"

    def serve(self, reviews, **settings):
        product = {"title": "tea", "offers": [{"price": 3}]}
        self.catalog = self.start(HttpUpstream(lambda request: Reply(200, json.dumps(product).encode())))
        self.reviews = self.start(HttpUpstream(reviews))
        calls = [
            {"name": "product", "cluster": "catalog", "path": "/products/%QUERY_PARAM(id)%", "forwarded_headers": ["x-user"]},
            {"name": "reviews", "cluster": "reviews", "path": "/reviews", "timeout": "2s", **settings},
        ]
        answer = {"title": "{{product.title}}", "price": "{{product.offers.0.price}}", "reviews": "{{reviews}}", "unit": "EUR"}
        return super().serve(
            httpFilter("shop", self.KIND, calls=calls, answer=answer),
            clusters=[cluster("catalog", self.catalog.port), cluster("reviews", self.reviews.port)],
        )

    def test_one_answer_has_parts_of_several(self):
        port = self.serve(lambda request: Reply(200, b'["good", "hot"]'))

        for arguments in ("--http1.1", "--http2-prior-knowledge"):
            code, out = curl(arguments, "-H", "x-user: ada", f"http://127.0.0.1:{port}/page?id=a%2Fb")
            self.assertEqual(code, 0)
            self.assertEqual(json.loads(out), {"title": "tea", "price": 3, "reviews": ["good", "hot"], "unit": "EUR"})
            asked = self.catalog.next()
            self.assertEqual((asked.path, asked.header("x-user")), ("/products/a%2Fb", "ada"))
        self.assertEqual(get(port, "/page?id=a%2F..").status, 400)
        self.assertTrue(self.catalog.requests.empty() and self.upstream.requests.empty())
        self.assertEqual(request(port, "POST", "/page", body=b"x").body, b"ok")

    def test_a_part_that_fails_has_its_default_or_fails_the_answer(self):
        port = self.serve(lambda request: Reply(500), default_value=[])
        self.assertEqual(json.loads(get(port, "/?id=1").body)["reviews"], [])

        port = self.serve(lambda request: Reply(500))
        self.assertEqual(get(port, "/?id=1").status, 502)


if __name__ == "__main__":
    unittest.main()
