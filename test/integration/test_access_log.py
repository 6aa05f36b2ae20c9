"""What is told of requests: access logs and their filters, when they get entries, and the answers that the proxy makes itself."""
import json
import os
import signal
import socket
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.client import rawConnection  # noqa: E402
from harness.config import TYPE  # noqa: E402
from harness.sluice import runTool  # noqa: E402
from harness.upstream import freePort  # noqa: E402


def linesOf(path):
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        return [line.decode() for line in file.read().split(b"\n")[:-1]]


class LoggedCase(SluiceTestCase):
    def serve(self, routes, clusters=(), node=None, **hcm):
        config = bootstrap([httpListener("http", routes, **hcm)], list(clusters))
        if node:
            config["node"] = node
        self.sluice = self.start(Sluice(self.scratch, config))
        self.port = self.sluice.port("http")

    def lines(self, path, count):
        waitFor(lambda: len(linesOf(path)) >= count, f"{count} lines in {path}")
        return linesOf(path)


class FileTest(LoggedCase):
    def test_a_file_that_was_moved_away_is_made_anew_with_sigusr1(self):
        path = self.scratch.join("access.log")
        self.serve([directResponse(200)], access_log=[fileLog(path, "%REQ(:path)%\n")])
        get(self.port, "/one")
        self.lines(path, 1)
        os.rename(path, path + ".1")
        self.sluice.signal(signal.SIGUSR1)
        waitFor(lambda: os.path.exists(path), "the new file")

        get(self.port, "/two")

        self.assertEqual(self.lines(path, 1), ["/two"])
        self.assertEqual(linesOf(path + ".1"), ["/one"])

    def test_whatever_a_client_sends_a_request_is_one_record(self):
        plain, as_json = self.scratch.join("plain.log"), self.scratch.join("json.log")
        value = '%REQ(x)% "%REQ(user-agent)%" %QUERY_PARAM(q)% %QUERY_PARAMS(DECODED)%'
        logs = [
            fileLog(plain, value + "\n"),
            fileLog(as_json, {"json_format": {"x": "%REQ(x)%", "all": value, "q": "%QUERY_PARAM(q)%"}}),
        ]
        self.serve([directResponse(200)], access_log=logs)
        hostile = ['a"b', "a\\", 'x","y":"z', "}\t{", "\xff\xfe", "%REQ(x)%"]
        for item in hostile:
            with rawConnection(self.port) as sock:
                head = f"GET /?q=%0a%22%1b%5b0m HTTP/1.1\r\nhost: a\r\nx: {item}\r\nuser-agent: {item}\r\nconnection: close\r\n\r\n"
                sock.sendall(head.encode("latin-1"))
                while sock.recv(65536):
                    pass

        self.assertEqual(len(self.lines(plain, len(hostile))), len(hostile))
        records = [json.loads(line) for line in self.lines(as_json, len(hostile))]
        self.assertEqual(len(records), len(hostile))
        self.assertEqual(records[0]["x"], 'a"b')
        self.assertTrue(all(set(record) == {"x", "all", "q"} for record in records))
        for line in linesOf(plain):
            self.assertTrue(all(c >= " " and c != "\x7f" for c in line), line)


    def test_an_entry_says_where_its_request_was_accepted_and_how_it_went_on(self):
        path = self.scratch.join("access.log")
        upstream = self.start(HttpUpstream())
        log = fileLog(path, "%LISTENER_NAME% %FILTER_CHAIN_NAME% %UPSTREAM_PROTOCOL% %QUERY_PARAM(a)%\n")
        config = bootstrap([httpListener("edge", [route("up")], access_log=[log])], [cluster("up", upstream.port)])
        config["static_resources"]["listeners"][0]["filter_chains"][0]["name"] = "main"
        sluice = self.start(Sluice(self.scratch, config))

        get(sluice.port("edge"), "/?a=b%20c")

        self.assertEqual(self.lines(path, 1), ["edge main HTTP/1.1 b c"])

    def test_an_entry_tells_how_long_the_way_to_the_host_took(self):
        path = self.scratch.join("access.log")
        upstream = self.start(HttpUpstream(lambda request: Reply(body=b"x" if request.path == "/body" else b"")))
        points = ("US_CX_BEG:US_CX_END", "US_CX_END:US_HS_END", "US_CX_END:US_TX_BEG", "US_TX_BEG:US_RX_BODY_BEG")
        format = " ".join(f"%COMMON_DURATION({pair}:us)%" for pair in points)
        log = fileLog(path, format + " %UPSTREAM_CONNECTION_POOL_READY_DURATION% %DOWNSTREAM_HANDSHAKE_DURATION%\n")
        self.serve([route("up")], [cluster("up", upstream.port)], access_log=[log])

        get(self.port, "/body")
        get(self.port, "/")

        body, none = self.lines(path, 2)
        self.assertRegex(body, r"^\d+ - \d+ \d+ \d+ -$")
        self.assertRegex(none, r"^\d+ - \d+ - \d+ -$")


class FilterTest(LoggedCase):
    def assertAdmitted(self, filter, paths, routes, expected):
        """A log with the filter gets the entries of `expected`; one without it tells when all are written."""
        path, all_of_them = self.scratch.join("some.log"), self.scratch.join("all.log")
        logs = [fileLog(path, "%REQ(:path)%\n", filter=filter), fileLog(all_of_them, "%REQ(:path)%\n")]
        self.serve(routes, access_log=logs)
        for each in paths:
            get(self.port, each)
        self.lines(all_of_them, len(paths))
        self.assertEqual(self.lines(path, len(expected)), expected)

    def test_statuses_of_grpc_are_told_apart(self):
        routes = [directResponse(503, prefix="/unavailable"), directResponse(403, prefix="/denied")]
        filter = {"grpc_status_filter": {"statuses": ["UNAVAILABLE"]}}
        self.assertAdmitted(filter, ["/denied", "/unavailable"], routes, ["/unavailable"])

    def test_types_of_entries_are_told_apart(self):
        filter = {"log_type_filter": {"types": ["DownstreamEnd"], "exclude": True}}
        self.assertAdmitted(filter, ["/"], [directResponse(200)], [])

    def test_an_unknown_extension_is_refused_by_name(self):
        config = bootstrap([httpListener("http", [directResponse(200)])], [])
        manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        unknown = {"@type": TYPE + "google.protobuf.StringValue", "value": ""}
        filter = {"extension_filter": {"name": "x", "typed_config": unknown}}
        manager["access_log"] = [fileLog("/dev/null", filter=filter)]
        path = self.scratch.write("bad.json", json.dumps(config))

        code, output = runTool("sluice", "-c", path, "--mode", "validate")

        self.assertEqual(code, 1, output)
        self.assertIn("google.protobuf.StringValue does not configure access log filters", output)


class ExpressionTest(LoggedCase):
    """The Common Expression Language: in formats, in filters of logs, and in trees that choose routes."""

    def test_a_filter_takes_the_entries_for_which_its_expression_is_true(self):
        expression = "response.code >= 500 || request.headers['x-debug'] == 'yes'"
        path, all_of_them = self.scratch.join("some.log"), self.scratch.join("all.log")
        typed = {"@type": TYPE + "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", "expression": expression}
        filter = {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": typed}}
        logs = [fileLog(path, "%REQ(:path)%\n", filter=filter), fileLog(all_of_them, "%REQ(:path)%\n")]
        self.serve([directResponse(503, prefix="/down"), directResponse(200)], access_log=logs)

        get(self.port, "/down")
        get(self.port, "/up")
        get(self.port, "/seen", headers=[("x-debug", "yes")])

        self.lines(all_of_them, 3)
        self.assertEqual(self.lines(path, 2), ["/down", "/seen"])

    def test_values_of_expressions_stand_in_formats(self):
        path = self.scratch.join("json.log")
        formatter = {"name": "envoy.formatter.cel", "typed_config": {"@type": TYPE + "envoy.extensions.formatter.cel.v3.Cel"}}
        fields = {
            "path": "%CEL(request.url_path + '!')%",
            "query": "%CEL(request.query):3%",
            "code": "%CEL(response.code)%",
            "typed": "%TYPED_CEL(response.code)%",
            "tags": "%TYPED_CEL(request.headers['x-tags'].split(',').filter(t, t != 'b'))%",
            "none": "%TYPED_CEL(request.headers.nope)%",
            "late": "%TYPED_CEL(request.duration < duration('1h') && request.time > timestamp('2020-01-01T00:00:00Z'))%",
        }
        self.serve([directResponse(200)], access_log=[fileLog(path, {"json_format": fields, "formatters": [formatter]})])

        get(self.port, "/a?b=cd", headers=[("x-tags", "a,b,c")])

        record = json.loads(self.lines(path, 1)[0])
        expected = {"path": "/a!", "query": "b=c", "code": "200", "typed": 200, "tags": ["a", "c"], "none": None, "late": True}
        self.assertEqual(record, expected)

    def test_a_tree_chooses_a_route_by_an_expression(self):
        attributes = {"name": "a", "typed_config": {"@type": TYPE + "xds.type.matcher.v3.HttpAttributesCelMatchInput"}}

        def entry(expression, status):
            cel = {"@type": TYPE + "xds.type.matcher.v3.CelMatcher", "expr_match": expression}
            predicate = {"single_predicate": {"input": attributes, "custom_match": {"name": "c", "typed_config": cel}}}
            route = {"@type": TYPE + "envoy.config.route.v3.Route", **directResponse(status)}
            return {"predicate": predicate, "on_match": {"action": {"name": "r", "typed_config": route}}}

        def node(kind, **fields):
            return {kind: fields}

        path = node("select_expr", operand=node("ident_expr", name="request"), field="path")
        prefix = node("call_expr", target=path, function="startsWith", args=[node("const_expr", string_value="/tree")])
        matchers = [
            entry({"cel_expr_string": "request.headers['x-user'] in ['ann', 'bob'] && request.method == 'GET'"}, 201),
            entry({"cel_expr_parsed": {"expr": prefix}}, 202),
            entry({"cel_expr_string": "!has(response.code)"}, 203),
        ]
        config = bootstrap([httpListener("http", virtual_hosts=[
            {"name": "all", "domains": ["*"], "matcher": {"matcher_list": {"matchers": matchers}}}])], [])  # fmt: skip
        port = self.start(Sluice(self.scratch, config)).port("http")

        self.assertEqual(get(port, "/", headers=[("x-user", "bob")]).status, 201)
        self.assertEqual(get(port, "/tree", headers=[("x-user", "eve")]).status, 202)
        self.assertEqual(get(port, "/").status, 203)

    def test_an_expression_beside_a_single_value_is_refused(self):
        header = {"name": "h", "typed_config": {"@type": TYPE + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": "a"}}
        everything = {"name": "a", "typed_config": {"@type": TYPE + "xds.type.matcher.v3.HttpAttributesCelMatchInput"}}
        cel = {"@type": TYPE + "xds.type.matcher.v3.CelMatcher", "expr_match": {"cel_expr_string": "true"}}
        action = {"action": {"name": "r", "typed_config": {"@type": TYPE + "envoy.config.route.v3.Route", **directResponse(200)}}}
        for single, problem in [
            ({"input": header, "custom_match": {"name": "c", "typed_config": cel}}, "is one value; an expression takes"),
            ({"input": everything, "value_match": {"exact": "a"}}, "stands for no value; set custom_match"),
        ]:
            matchers = [{"predicate": {"single_predicate": single}, "on_match": action}]
            host = {"name": "all", "domains": ["*"], "matcher": {"matcher_list": {"matchers": matchers}}}
            path = self.scratch.write("bad.json", json.dumps(bootstrap([httpListener("http", virtual_hosts=[host])], [])))
            with self.subTest(problem):
                code, output = runTool("sluice", "-c", path, "--mode", "validate")

                self.assertEqual(code, 1, output)
                self.assertIn(problem, output)

    def test_a_wrong_expression_is_refused_with_its_place(self):
        for expression, problem in [
            ("response.code >", "1:16: found the end, expected a value"),
            ("request.pth == '/'", "'request.pth' is unknown; there are request.path, "),
            ("request.path", "has to be a bool; its value is a string"),
            ("(" * 5000, "nested more than 200 levels deep"),
        ]:
            typed = {"@type": TYPE + "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", "expression": expression}
            config = bootstrap([httpListener("http", [directResponse(200)])], [])
            manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
            manager["access_log"] = [fileLog("/dev/null", filter={"extension_filter": {"name": "x", "typed_config": typed}})]
            path = self.scratch.write("bad.json", json.dumps(config))
            with self.subTest(expression[:20]):
                code, output = runTool("sluice", "-c", path, "--mode", "validate")

                self.assertEqual(code, 1, output)
                self.assertIn(problem, output)


class TimesTest(LoggedCase):
    def test_entries_come_at_the_beginning_while_it_lasts_and_at_the_end(self):
        path = self.scratch.join("access.log")
        options = {"access_log_flush_interval": "0.05s", "flush_access_log_on_new_request": True}
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        self.serve([route("up")], [cluster("up", silent.getsockname()[1])], access_log_options=options,
                   access_log=[fileLog(path, "%ACCESS_LOG_TYPE% %RESPONSE_CODE%\n")])  # fmt: skip
        with rawConnection(self.port) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            self.lines(path, 3)

        waitFor(lambda: linesOf(path)[-1].startswith("DownstreamEnd"), "the last line")
        lines = linesOf(path)
        self.assertEqual(lines[0], "DownstreamStart 0")
        self.assertEqual(set(lines[1:-1]), {"DownstreamPeriodic 0"})


class LocalReplyTest(LoggedCase):
    def test_mappers_change_status_body_and_fields_and_the_log_has_the_final_code(self):
        path = self.scratch.join("access.log")
        mapper = {
            "filter": {"status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": 404, "runtime_key": "k"}}}},
            "status_code": 410,
            "body": {"inline_string": "gone"},
            "headers_to_add": [{"header": {"key": "x-path", "value": "%REQ(:path)%"}}],
        }
        reply = {"mappers": [mapper], "body_format": {"json_format": {"code": "%RESPONSE_CODE%", "text": "%LOCAL_REPLY_BODY%"}}}
        self.serve([directResponse(204, prefix="/none")], access_log=[fileLog(path, "%RESPONSE_CODE%\n")], local_reply_config=reply)

        missing = get(self.port, "/missing")

        self.assertEqual((missing.status, json.loads(missing.body)), (410, {"code": 410, "text": "gone"}))
        self.assertEqual((missing.header("content-type"), missing.header("x-path")), ("application/json", "/missing"))
        self.assertEqual(self.lines(path, 1), ["410"])

    def test_answers_of_upstreams_are_not_touched(self):
        upstream = self.start(HttpUpstream(lambda request: Reply(404, b"theirs")))
        reply = {"body_format": {"text_format_source": {"inline_string": "ours"}}}
        self.serve([route("up")], [cluster("up", upstream.port)], local_reply_config=reply)
        self.assertEqual(get(self.port).body, b"theirs")

    def test_an_error_is_told_in_proxy_status(self):
        dead = cluster("dead", freePort())
        status = {"use_node_id": True, "set_recommended_response_code": True}
        self.serve([route("dead")], [dead], node={"id": "edge-1", "cluster": "edge"}, proxy_status_config=status)

        response = get(self.port)

        self.assertEqual(response.status, 502)
        self.assertRegex(response.header("proxy-status"), r'^edge-1; error=connection_refused; details="[^"]*; UF"$')


if __name__ == "__main__":
    unittest.main()
