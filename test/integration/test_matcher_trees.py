"""Matchers that choose routes and clusters: each input, tables of each kind, nested, over HTTP/1.1 and HTTP/2."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402
from harness.pki import Authority  # noqa: E402
from harness.sluice import runTool  # noqa: E402

HTTP = "envoy.type.matcher.v3."
NETWORK = "envoy.extensions.matching.common_inputs.network.v3."
SSL = "envoy.extensions.matching.common_inputs.ssl.v3."
XDS = "xds.type.matcher.v3."
SPECIFIER = "envoy.extensions.router.cluster_specifiers.matcher.v3."


def extension(message, name="e", **fields):
    return {"name": name, "typed_config": {"@type": TYPE + message, **fields}}


def header(name):
    return extension(HTTP + "HttpRequestHeaderMatchInput", header_name=name)


def action(message, **fields):
    return {"action": extension(message, **fields)}


def answers(body, prefix="/"):
    """Leads to a route that answers by itself."""
    return action("envoy.config.route.v3.Route", **directResponse(200, body, prefix))


def tree(given, kind="exact_match_map", on_no_match=None, **entries):
    """A look-up of an input in a map."""
    result = {"matcher_tree": {"input": given, kind: {"map": entries}}}
    return {**result, "on_no_match": on_no_match} if on_no_match else result


def table(given, message, on_no_match=None, **fields):
    """A look-up of an input in a table that is a message of its own."""
    result = {"matcher_tree": {"input": given, "custom_match": extension(XDS + message, **fields)}}
    return {**result, "on_no_match": on_no_match} if on_no_match else result


def listed(given, on_match, on_no_match=None, **condition):
    predicate = {"single_predicate": {"input": given, **condition}}
    result = {"matcher_list": {"matchers": [{"predicate": predicate, "on_match": on_match}]}}
    return {**result, "on_no_match": on_no_match} if on_no_match else result


def hostsWith(matcher):
    return [{"name": "all", "domains": ["*"], "matcher": matcher}]


class TreeTestCase(SluiceTestCase):
    def serve(self, matcher, env=None, **more):
        listener = httpListener("http", virtual_hosts=hostsWith(matcher), **more)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], []), env=env))
        self.port = self.sluice.port("http")
        self.target = ("127.0.0.1", self.port)

    def answer(self, path="/", headers=(), host="test.example"):
        """The body, or the status of an answer without one."""
        response = get(self.target, path, headers, host)
        return response.body.decode() or response.status


class RoutesTest(TreeTestCase):
    def test_a_header_leads_to_routes_over_both_protocols(self):
        routes = [directResponse(200, "exact", "/exact"), directResponse(200, "rest")]
        many = action("envoy.config.route.v3.RouteList", routes=routes)
        self.serve(tree(header("x-tenant"), one=answers("one", "/one"), many=many, on_no_match=answers("default")))

        for asked in ("--http1.1", "--http2-prior-knowledge"):
            with self.subTest(asked):

                def body(path, tenant):
                    code, out = curl(asked, "-H", f"x-tenant: {tenant}", f"http://127.0.0.1:{self.port}{path}")
                    self.assertEqual(code, 0)
                    return out.decode()

                self.assertEqual(body("/one", "one"), "one")
                self.assertEqual(body("/two", "one"), "")
                self.assertEqual(body("/exact", "many"), "exact")
                self.assertEqual(body("/x", "many"), "rest")
                self.assertEqual(body("/one", "other"), "default")

    def test_where_a_tree_leads_to_no_route_that_matches_the_answer_is_404(self):
        self.serve(tree(header("x-tenant"), one=answers("one", "/one")))

        self.assertEqual(get(self.target, "/two", [("x-tenant", "one")]).status, 404)
        self.assertEqual(get(self.target, "/one").status, 404)

    def test_trees_nest_and_go_back_where_the_inner_one_matches_nothing(self):
        inner = {"matcher": tree(header("x-b"), yes=answers("inner"))}
        self.serve(tree(header("x-a"), kind="prefix_match_map", a=answers("short"), abc=inner))

        self.assertEqual(self.answer(headers=[("x-a", "abcd"), ("x-b", "yes")]), "inner")
        self.assertEqual(self.answer(headers=[("x-a", "abcd"), ("x-b", "no")]), "short")
        self.assertEqual(self.answer(headers=[("x-a", "b")]), 404)

    def test_a_header_in_several_lines_is_one_value(self):
        self.serve(tree(header("x-a"), **{"1,2": answers("joined")}))

        self.assertEqual(self.answer(headers=[("x-a", "1"), ("x-a", "2")]), "joined")
        self.assertEqual(self.answer(headers=[("x-a", "1")]), 404)

    def test_a_route_in_a_tree_forwards_as_any_other(self):
        seen = []

        def up(request):
            seen.append(request)
            return Reply(503 if len(seen) == 1 else 200, b"up")

        upstream = self.start(HttpUpstream(up))
        forward = {**route("up", retry_policy={"retry_on": "5xx"}, prefix_rewrite="/new/"),
                   "request_headers_to_add": [{"header": {"key": "x-added", "value": "yes"}}]}  # fmt: skip
        listener = httpListener(
            "http", virtual_hosts=hostsWith({"on_no_match": action("envoy.config.route.v3.Route", **forward)})
        )
        sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", upstream.port)])))

        response = get(("127.0.0.1", sluice.port("http")), "/a")

        self.assertEqual((response.status, response.body), (200, b"up"))
        self.assertEqual([(request.path, request.header("x-added")) for request in seen], [("/new/a", "yes")] * 2)
        self.assertEqual(sluice.stat("cluster.up.upstream_rq_retry_success"), 1)


class InputsTest(TreeTestCase):
    def test_pseudo_headers_and_the_host(self):
        self.serve(tree(header(":method"), on_no_match={"matcher": tree(header("host"), **{"a.example": answers("host")})},
                        OPTIONS=answers("method")))  # fmt: skip

        self.assertEqual(request(self.target, "OPTIONS").body, b"method")
        self.assertEqual(self.answer(host="a.example"), "host")
        self.assertEqual(self.answer(host="b.example"), 404)

    def test_query_parameters_are_decoded(self):
        given = extension(HTTP + "HttpRequestQueryParamMatchInput", query_param="user name")
        self.serve(tree(given, **{"foo bar": answers("decoded")}))

        self.assertEqual(self.answer("/?x=1&user%20name=foo%20bar&user%20name=other"), "decoded")
        self.assertEqual(self.answer("/?user=foo"), 404)

    def test_addresses_of_both_ends(self):
        by_port = {"matcher": table(extension(NETWORK + "SourcePortInput"), "Int32RangeMatcher", range_matchers=[
            {"ranges": [{"start": 1, "end": 65536}], "on_match": answers("ends")}])}  # fmt: skip
        loopback = {"ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}], "on_match": by_port}
        self.serve(table(extension(NETWORK + "SourceIPInput"), "IPMatcher", range_matchers=[loopback]))

        self.assertEqual(self.answer(), "ends")

    def test_the_socket_s_peer_and_the_client_that_a_header_names(self):
        by_peer = {"matcher": tree(extension(NETWORK + "DirectSourceIPInput"), **{"127.0.0.1": answers("both")})}
        self.serve(tree(extension(NETWORK + "SourceIPInput"), **{"192.0.2.7": by_peer}),
                   use_remote_address=True, xff_num_trusted_hops=1)  # fmt: skip

        self.assertEqual(self.answer(headers=[("x-forwarded-for", "192.0.2.7")]), "both")
        self.assertEqual(self.answer(headers=[("x-forwarded-for", "192.0.2.8")]), 404)

    def test_a_variable_of_the_environment(self):
        given = extension("envoy.extensions.matching.common_inputs.environment_variable.v3.Config")
        given["typed_config"]["name"] = "TREE_ZONE"  # by extension() it would be that of the extension
        self.serve(tree(given, **{"eu-1": answers("zone")}), env={**os.environ, "TREE_ZONE": "eu-1"})

        self.assertEqual(self.answer(), "zone")

    def test_the_client_s_certificate(self):
        ca = Authority(self.scratch.join("pki"))
        ca.issue("client", "URI:spiffe://x/client,DNS:c.example")
        by_dns = {"matcher": tree(extension(SSL + "DnsSanInput"), **{"c.example": answers("known")})}
        by_uri = {"matcher": tree(extension(SSL + "UriSanInput"), **{"spiffe://x/client": by_dns})}
        by_name = {"matcher": tree(extension(NETWORK + "ServerNameInput"), **{"a.example": by_uri})}
        matcher = tree(extension(SSL + "SubjectInput"), **{"CN=client": by_name}, on_no_match=answers("stranger"))
        listener = httpListener("https", virtual_hosts=hostsWith(matcher))
        listener["filter_chains"][0]["transport_socket"] = extension(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", common_tls_context={
                "tls_certificates": [ca.issue("a", "DNS:a.example")],
                "validation_context": {"trusted_ca": {"filename": ca.cert("ca")}}})  # fmt: skip
        sluice = self.start(Sluice(self.scratch, bootstrap([listener], [])))
        port = sluice.port("https")

        def body(*arguments):
            code, out = curl("--cacert", ca.cert("ca"), "--resolve", f"a.example:{port}:127.0.0.1", *arguments,
                             f"https://a.example:{port}/")  # fmt: skip
            self.assertEqual(code, 0)
            return out

        self.assertEqual(body("--cert", ca.cert("client"), "--key", ca.key("client")), b"known")
        self.assertEqual(body(), b"stranger")


class ConditionsTest(TreeTestCase):
    def test_domains_by_the_longest_wildcard(self):
        self.serve(table(header("host"), "ServerNameMatcher", domain_matchers=[
            {"domains": ["*"], "on_match": answers("any")},
            {"domains": ["*.example.com"], "on_match": answers("wildcard")},
            {"domains": ["www.example.com"], "on_match": answers("exact")}]))  # fmt: skip

        self.assertEqual(self.answer(host="WWW.example.com"), "exact")
        self.assertEqual(self.answer(host="a.b.example.com"), "wildcard")
        self.assertEqual(self.answer(host="example.com"), "any")

    def test_ranges_of_numbers(self):
        ranges = [{"ranges": [{"start": 0.5, "end": 1.5}], "on_match": answers("in")}]
        self.serve(table(header("x-n"), "DoubleRangeMatcher", range_matchers=ranges, on_no_match=answers("out")))

        self.assertEqual([self.answer(headers=[("x-n", n)]) for n in ("0.5", "1", "1.5", "one")], ["in", "in", "out", "out"])

    def test_shares_of_users_by_hash(self):
        hashing = extension("envoy.extensions.matching.input_matchers.consistent_hashing.v3.ConsistentHashing",
                            threshold=5, modulo=10, seed=3)  # fmt: skip
        self.serve(listed(header("x-user"), answers("in"), answers("out"), custom_match=hashing))

        first = [self.answer(headers=[("x-user", f"user{i}")]) for i in range(40)]
        second = [self.answer(headers=[("x-user", f"user{i}")]) for i in range(40)]

        self.assertEqual(first, second)
        self.assertEqual(set(first), {"in", "out"})
        self.assertEqual(self.answer(), "out")

    def test_a_fraction_that_runtime_says(self):
        fraction = {"default_value": {"numerator": 0}, "runtime_key": "tree.share"}
        condition = extension("envoy.extensions.matching.input_matchers.runtime_fraction.v3.RuntimeFraction",
                              runtime_fraction=fraction)  # fmt: skip
        matcher = listed(header("x-user"), answers("in"), answers("out"), custom_match=condition)
        layers = {"layers": [{"name": "static", "static_layer": {"tree.share": 100}}]}
        listener = httpListener("http", virtual_hosts=hostsWith(matcher))
        sluice = self.start(Sluice(self.scratch, bootstrap([listener], [], layered_runtime=layers)))

        self.assertEqual(get(("127.0.0.1", sluice.port("http")), headers=[("x-user", "a")]).body, b"in")

    def test_metadata_that_is_not_there(self):
        given = extension(NETWORK + "DynamicMetadataInput", filter="f", path=[{"key": "k"}])
        absent = extension("envoy.extensions.matching.input_matchers.metadata.v3.Metadata",
                           value={"present_match": True}, invert=True)  # fmt: skip
        by_state = {"matcher": tree(extension(NETWORK + "FilterStateInput", key="k"), on_no_match=answers("neither"),
                                    a=answers("state"))}  # fmt: skip
        self.serve(listed(given, by_state, custom_match=absent))

        self.assertEqual(self.answer(), "neither")


class ClusterSpecifierTest(SluiceTestCase):
    def serve(self, action_fields, plugins=(), filters=()):
        self.a = self.start(HttpUpstream(lambda request: Reply(body=b"a")))
        self.b = self.start(HttpUpstream(lambda request: Reply(body=b"b")))
        routes = [{"match": {"prefix": "/"}, "route": action_fields}]
        listener = httpListener("http", routes, filters=filters,
                                route_config={"cluster_specifier_plugins": list(plugins)})  # fmt: skip
        clusters = [cluster("a", self.a.port), cluster("b", self.b.port)]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], clusters)))
        self.target = ("127.0.0.1", self.sluice.port("http"))

    @staticmethod
    def plugin():
        to = {name: action(SPECIFIER + "ClusterAction", cluster=name) for name in ("a", "b")}
        return {"extension": extension(SPECIFIER + "MatcherClusterSpecifier", name="by-header",
                                       cluster_matcher=tree(header("x-to"), **to))}  # fmt: skip

    def asked(self, value):
        response = get(self.target, headers=[("x-to", value)])
        return response.body if response.status == 200 else response.status

    def test_a_matcher_chooses_the_cluster(self):
        self.serve({"inline_cluster_specifier_plugin": self.plugin(), "cluster_not_found_response_code": "NOT_FOUND"})

        self.assertEqual([self.asked("a"), self.asked("b"), self.asked("c")], [b"a", b"b", 404])

    def test_routes_name_what_chooses_their_cluster(self):
        self.serve({"cluster_specifier_plugin": "by-header"}, [self.plugin()])

        self.assertEqual([self.asked("b"), self.asked("c")], [b"b", 503])

    def test_the_cluster_is_chosen_by_what_filters_made_of_the_request(self):
        changed = {"append": {"header": {"key": "x-to", "value": "b"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
        mutation = extension("envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", name="mutation",
                             mutations={"request_mutations": [changed]})  # fmt: skip
        self.serve({"cluster_specifier_plugin": "by-header"}, [self.plugin()], [mutation])

        self.assertEqual([self.asked("a"), self.asked("c")], [b"b", b"b"])

    def test_a_specifier_that_nobody_knows_is_optional_if_it_says_so(self):
        unknown = {"extension": extension("example.nobody.Specifier", name="unknown"), "is_optional": True}
        self.serve({"cluster_specifier_plugin": "unknown"}, [unknown])

        self.assertEqual(self.asked("a"), 503)


class WrongTreesTest(SluiceTestCase):
    def refused(self, matcher, **more):
        listener = httpListener("http", virtual_hosts=[{**hostsWith(matcher)[0], **more}])
        path = self.scratch.write("wrong.yaml", json.dumps(bootstrap([listener], []), indent=1))
        code, output = runTool("sluice", "-c", path, "--mode", "validate")
        self.assertEqual(code, 1, output)
        self.assertRegex(output, r"wrong\.yaml:[0-9]+:[0-9]+")
        return output

    def test_routes_beside_a_matcher(self):
        self.assertIn("virtual_hosts[0].matcher: stands beside routes",
                      self.refused({"on_no_match": answers("a")}, routes=[directResponse(200)]))  # fmt: skip

    def test_a_part_that_is_not_there_when_routes_are_chosen(self):
        given = extension(HTTP + "HttpResponseStatusCodeMatchInput")
        output = self.refused(tree(given, **{"200": answers("a")}))

        self.assertIn("matcher.matcher_tree.input.typed_config: envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput "
                      "looks at what the matcher of a virtual host does not have", output)  # fmt: skip

    def test_a_wrong_route_in_an_action(self):
        wrong = action("envoy.config.route.v3.Route", match={"prefix": "/"}, direct_response={"status": 99})
        output = self.refused(tree(header("x"), a=wrong))

        self.assertIn("action.typed_config.direct_response.status", output)

    def test_an_action_that_is_none(self):
        self.assertIn("google.protobuf.StringValue is no action of a virtual host",
                      self.refused({"on_no_match": action("google.protobuf.StringValue", value="a")}))  # fmt: skip


if __name__ == "__main__":
    unittest.main()
