"""Which route takes a request: every kind of matcher in a running proxy, on HTTP/1.1 and HTTP/2."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402
from harness.pki import Authority  # noqa: E402
from harness.sluice import runTool  # noqa: E402

VERSIONS = ("--http1.1", "--http2-prior-knowledge")


def byTemplate(text):
    config = {"@type": TYPE + "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", "path_template": text}
    return {"path_match_policy": {"name": "envoy.path.match.uri_template.uri_template_matcher", "typed_config": config}}


def rewritingBy(text):
    config = {
        "@type": TYPE + "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig",
        "path_template_rewrite": text,
    }
    return {"name": "envoy.path.rewrite.uri_template.uri_template_rewriter", "typed_config": config}


def named(name, **match):
    """A route that answers with its name."""
    return {"match": match, "direct_response": {"status": 200, "body": {"inline_string": name}}}


class RoutingCase(SluiceTestCase):
    def serve(self, routes, route_config=None, clusters=(), **hcm):
        listener = httpListener("http", [*routes, directResponse(200, "rest")], route_config=route_config, **hcm)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], list(clusters))))
        self.port = self.sluice.port("http")

    def ask(self, path="/", *headers, version="--http1.1"):
        """The name of the route that took it."""
        arguments = [argument for header in headers for argument in ("-H", header)]
        code, out = curl("--path-as-is", version, *arguments, f"http://127.0.0.1:{self.port}{path}")
        self.assertEqual(code, 0)
        return out.decode()

    def check(self, expected, *request):
        for version in VERSIONS:
            with self.subTest(request=request, version=version):
                self.assertEqual(self.ask(*request, version=version), expected)


class MatcherTest(RoutingCase):
    def test_templates_of_paths(self):
        self.serve([
            named("user", **byTemplate("/users/{id}")),
            named("file", **byTemplate("/users/{id}/files/**")),
            named("version", **byTemplate("/api/v{version}/{name}.json")),
            named("playlist", **byTemplate("/**.m3u8")),
        ])  # fmt: skip

        self.check("user", "/users/7?x=1")
        self.check("user", "/users/a*b")
        self.check("rest", "/users/")
        self.check("rest", "/users/7/")
        self.check("file", "/users/7/files/a/b")
        self.check("file", "/users/7/files/")
        self.check("rest", "/users/7/files")
        self.check("version", "/api/v2/items.json")
        self.check("rest", "/api/2/items.json")
        self.check("playlist", "/media/7/list.m3u8")
        self.check("rest", "/media/7/list.mpd")

    def test_cookies(self):
        self.serve([
            named("beta", prefix="/", cookies=[{"name": "beta", "string_match": {"exact": "on"}}]),
            named("known", prefix="/known",
                  cookies=[{"name": "user", "string_match": {"exact": ""}, "invert_match": True}]),
        ])  # fmt: skip

        self.check("beta", "/", "cookie: a=b; beta=on")
        self.check("beta", "/", 'cookie: beta="on"')
        self.check("rest", "/", "cookie: beta=off; xbeta=on")
        self.check("rest", "/")
        self.check("known", "/known", "cookie: user=7")
        self.check("known", "/known")
        self.check("rest", "/known", "cookie: user=")

    def test_grpc(self):
        upstream = self.start(HttpUpstream())
        self.serve([route("up", match={"prefix": "/", "grpc": {}})], clusters=[cluster("up", upstream.port)])

        self.check("rest", "/", "content-type: application/grpc-web")
        self.check("rest", "/")
        for version in VERSIONS:
            with self.subTest(version=version):
                self.ask("/package.Service/Call", "content-type: application/grpc+proto", version=version)
                self.assertEqual(upstream.next().path, "/package.Service/Call")

    def test_a_share_of_the_requests(self):
        def share(numerator):
            return {"default_value": {"numerator": numerator, "denominator": "HUNDRED"}}

        self.serve([
            named("none", prefix="/", runtime_fraction=share(0)),
            named("all", prefix="/all", runtime_fraction=share(100)),
            named("some", prefix="/some", runtime_fraction=share(50)),
        ])  # fmt: skip

        self.check("rest", "/")
        self.check("all", "/all")
        seen = {get(self.port, "/some").body for _ in range(64)}
        self.assertEqual(seen, {b"some", b"rest"})

    def test_what_no_filter_left_is_absent(self):
        metadata = {"filter": "f", "path": [{"key": "k"}], "value": {"present_match": True}}
        self.serve([
            named("left", prefix="/", dynamic_metadata=[metadata]),
            named("kept", prefix="/", filter_state=[{"key": "k", "string_match": {"prefix": "a"}}]),
            named("none", prefix="/none", dynamic_metadata=[{**metadata, "invert": True}]),
        ])  # fmt: skip

        self.check("rest", "/")
        self.check("none", "/none")

    def test_certificates_of_clients(self):
        ca = Authority(self.scratch.join("pki"))
        common = {
            "tls_certificates": [ca.issue("a", "DNS:a.example")],
            "validation_context": {"trusted_ca": {"filename": ca.cert("ca")}},
        }
        listener = httpListener("http", [
            named("valid", prefix="/", tls_context={"presented": True, "validated": True}),
            named("without", prefix="/", tls_context={"presented": False}),
            directResponse(200, "rest"),
        ])  # fmt: skip
        context = TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        common["alpn_protocols"] = ["h2", "http/1.1"]
        listener["filter_chains"][0]["transport_socket"] = {
            "name": "tls", "typed_config": {"@type": context, "common_tls_context": common}}  # fmt: skip
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [])))
        port = self.sluice.port("http")
        ca.issue("client", "DNS:client.example")
        resolve = ("--cacert", ca.cert("ca"), "--resolve", f"a.example:{port}:127.0.0.1")

        for version in ("--http1.1", "--http2"):
            with self.subTest(version=version):
                shown = ("--cert", ca.cert("client"), "--key", ca.key("client"))
                self.assertEqual(curl(version, *resolve, *shown, f"https://a.example:{port}/"), (0, b"valid"))
                self.assertEqual(curl(version, *resolve, f"https://a.example:{port}/"), (0, b"without"))


class TableTest(RoutingCase):
    def test_path_parameters_are_not_looked_at_and_are_passed_on(self):
        upstream = self.start(HttpUpstream())
        self.serve(
            [named("exact", path="/a/b"), route("up", prefix="/old", prefix_rewrite="/new")],
            route_config={"ignore_path_parameters_in_path_matching": True},
            clusters=[cluster("up", upstream.port)],
        )

        self.check("exact", "/a;v=1/b;w?q=1")
        self.check("rest", "/a/;b")
        get(self.port, "/old;v=1/x;w?q=1")
        self.assertEqual(upstream.next().path, "/new;v=1/x;w?q=1")

    def test_path_parameters_are_part_of_the_path_without_it(self):
        self.serve([named("exact", path="/a/b")])

        self.check("rest", "/a;v=1/b")

    def test_a_header_chooses_the_virtual_host(self):
        hosts = [
            {"name": "named", "domains": ["tenant.example"], "routes": [directResponse(200, "tenant")]},
            {"name": "others", "domains": ["*"], "routes": [directResponse(200, "others")]},
        ]
        listener = httpListener("http", virtual_hosts=hosts, route_config={"vhost_header": "X-Tenant"})
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [])))
        self.port = self.sluice.port("http")

        self.check("tenant", "/", "x-tenant: Tenant.example")
        self.check("others", "/", "x-tenant: other.example")
        self.check("others", "/", "host: tenant.example")


class TemplateRewriteTest(RoutingCase):
    def test_variables_make_the_new_path(self):
        upstream = self.start(HttpUpstream())
        self.serve(
            [route("up", match=byTemplate("/users/{id}/{rest=**}"), path_rewrite_policy=rewritingBy("/{rest}/of/{id}"))],
            clusters=[cluster("up", upstream.port)],
        )

        for version in VERSIONS:
            with self.subTest(version=version):
                self.ask("/users/7/a/b?q=1", version=version)
                seen = upstream.next()
                self.assertEqual(seen.path, "/a/b/of/7?q=1")
                self.assertEqual(seen.header("x-envoy-original-path"), "/users/7/a/b?q=1")


class WrongConfigurationTest(SluiceTestCase):
    def problem(self, route_of_table):
        listener = httpListener("http", [route_of_table])
        text = json.dumps(bootstrap([listener], [cluster("up", 1)]), indent=1)
        code, out = runTool("sluice", "-c", self.scratch.write("wrong.yaml", text), "--mode", "validate")
        self.assertNotEqual(code, 0)
        return out

    def test_a_wrong_template_is_refused_with_its_place(self):
        out = self.problem(named("x", **byTemplate("/v*")))

        self.assertRegex(out, r"wrong\.yaml:\d+:\d+: ")
        self.assertIn(
            "match.path_match_policy.typed_config.path_template: has '*' beside other text; it stands alone between "
            "slashes",
            out,
        )

    def test_a_rewrite_with_another_variable_is_refused(self):
        out = self.problem(route("up", match=byTemplate("/{a}"), path_rewrite_policy=rewritingBy("/{b}")))

        self.assertIn('names the variable "b", which the template of path_match_policy has not', out)

    def test_a_policy_of_another_type_is_refused(self):
        other = {"name": "x", "typed_config": {"@type": TYPE + "envoy.extensions.filters.http.router.v3.Router"}}

        out = self.problem(named("x", path_match_policy=other))

        self.assertIn("here only envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig is supported", out)


if __name__ == "__main__":
    unittest.main()
