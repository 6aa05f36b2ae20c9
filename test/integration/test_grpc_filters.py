"""gRPC in a running proxy: filters that ask gRPC services, grpc-web, and answers of the proxy's own to gRPC requests."""
import base64
import concurrent.futures
import hashlib
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import messageClass  # noqa: E402

FILTERS = "envoy.extensions.filters.http."


def httpFilter(name, type_name, **fields):
    return config.httpFilter("envoy.filters.http." + name, FILTERS + type_name, **fields)


def service(cluster_name, timeout="5s"):
    return {"envoy_grpc": {"cluster_name": cluster_name}, "timeout": timeout}


def frame(message, flag=0):
    return struct.pack(">BI", flag, len(message)) + message


class GrpcServer:
    """Serves one method of a service. `serve` takes the request (or an iterator of them) and the context."""

    def __init__(self, service_name, method, serve, request=None, response=None, streaming=False):
        import grpc

        make = grpc.stream_stream_rpc_method_handler if streaming else grpc.unary_unary_rpc_method_handler
        handler = make(
            serve,
            request_deserializer=messageClass(request).FromString if request else None,
            response_serializer=(lambda message: message.SerializeToString()) if response else None,
        )
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service_name, {method: handler}),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def stop(self):
        self.server.stop(None).wait()


class GrpcCase(SluiceTestCase):
    def proxy(self, *filters, clusters=(), routes=None, upstream=None, **hcm):
        self.upstream = upstream or self.start(HttpUpstream())
        up = cluster("up", self.upstream.port, **(HTTP2 if upstream else {}))
        listener = httpListener("http", routes or [route("up")], filters=filters, **hcm)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [up, *clusters])))
        return self.sluice.port("http")


class LocalReplyTest(GrpcCase):
    def test_a_grpc_request_is_answered_in_grpc(self):
        port = self.proxy(routes=[route("up", prefix="/only")])

        response = request(port, "POST", "/a.B/C", headers=[("content-type", "application/grpc")], body=frame(b"q"))

        self.assertEqual((response.status, response.header("grpc-status")), (200, "12"))
        self.assertEqual(response.header("content-type"), "application/grpc")
        self.assertEqual(response.body, b"")


class ExtAuthzTest(GrpcCase):
    def guarded(self, decide, clusters=(), **more):
        package = "envoy.service.auth.v3."
        server = self.start(
            GrpcServer(package + "Authorization", "Check", decide, package + "CheckRequest", package + "CheckResponse")
        )
        guard = httpFilter("ext_authz", "ext_authz.v3.ExtAuthz", grpc_service=service("authz"), transport_api_version="V3")
        return self.proxy(guard, clusters=[cluster("authz", server.port, **HTTP2), *clusters], **more)

    def test_a_grpc_service_permits_with_headers_and_refuses_with_a_status(self):
        Response = messageClass("envoy.service.auth.v3.CheckResponse")

        def decide(check, context):
            http = check.attributes.request.http
            answer = Response()
            if http.headers.get("x-key") == "good":
                option = answer.ok_response.headers.add()
                option.header.key, option.header.value = "x-user", "ada of " + http.path
            else:
                answer.status.code = 7
                answer.denied_response.status.code = 401
                answer.denied_response.body = "who are you?"
            return answer

        port = self.guarded(decide)

        self.assertEqual(get(port, "/doc", headers=[("x-key", "good"), ("x-user", "root")]).status, 200)
        self.assertEqual(self.upstream.next().header("x-user"), "ada of /doc")
        refused = get(port, "/doc")
        self.assertEqual((refused.status, refused.body), (401, b"who are you?"))

    def test_a_user_whom_the_service_knows_stays_in_one_share(self):
        Response = messageClass("envoy.service.auth.v3.CheckResponse")

        def decide(check, context):
            answer = Response()
            answer.dynamic_metadata.update({"claims": {"sub": check.attributes.request.http.headers.get("x-token", "")}})
            return answer

        split = {
            "@type": config.TYPE + "sluice.route.v1.StickySplit",
            "rollout": "r",
            "keys": [{"metadata": {"filter": "envoy.filters.http.ext_authz", "path": ["claims", "sub"]}}],
            "clusters": [{"name": "up", "weight": 50}, {"name": "canary", "weight": 50}],
        }
        plugin = {"extension": {"name": "split", "typed_config": split}}
        canary = self.start(HttpUpstream(lambda request: Reply(200, b"canary")))
        action = {"match": {"prefix": "/"}, "route": {"inline_cluster_specifier_plugin": plugin}}
        port = self.guarded(decide, routes=[action], clusters=[cluster("canary", canary.port)])

        for user in ("ada", "bob", "cid", "dan", "eve", "fay"):
            digest = hashlib.sha256(b"r\0" + user.encode()).digest()
            expected = int.from_bytes(digest[:8], "big") < 2**63
            found = {get(port, headers=[("x-token", user)]).body == b"canary" for _ in range(4)}
            self.assertEqual(found, {expected}, user)

    def test_a_service_that_is_not_there_refuses(self):
        package = "envoy.service.auth.v3."
        port = self.guarded(lambda check, context: messageClass(package + "CheckResponse")())
        self.assertEqual(get(port).status, 200)

        guard = httpFilter("ext_authz", "ext_authz.v3.ExtAuthz", grpc_service=service("up"))
        self.assertEqual(get(self.proxy(guard)).status, 403)


class ConnectionExtAuthzTest(GrpcCase):
    def test_connections_are_served_or_closed_as_the_service_says(self):
        package = "envoy.service.auth.v3."
        code, asked = [0], []

        def decide(check, context):
            asked.append(check.attributes.source.address.socket_address.address)
            answer = messageClass(package + "CheckResponse")()
            answer.status.code = code[0]
            return answer

        server = self.start(
            GrpcServer(package + "Authorization", "Check", decide, package + "CheckRequest", package + "CheckResponse")
        )
        upstream = self.start(HttpUpstream())
        guard = {
            "name": "guard",
            "typed_config": {
                "@type": config.TYPE + "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz",
                "stat_prefix": "front",
                "grpc_service": service("authz"),
            },
        }
        listener = httpListener("http", [route("up")])
        listener["filter_chains"][0]["filters"].insert(0, guard)
        clusters = [cluster("up", upstream.port), cluster("authz", server.port, **HTTP2)]
        port = self.start(Sluice(self.scratch, bootstrap([listener], clusters))).port("http")

        self.assertEqual(get(port).status, 200)
        code[0] = 7
        with rawConnection(port) as sock:
            self.assertEqual(sock.recv(1), b"")
        self.assertEqual(asked, ["127.0.0.1", "127.0.0.1"])


class RateLimitTest(GrpcCase):
    def test_the_service_decides_by_descriptors(self):
        package = "envoy.service.ratelimit.v3."
        Response = messageClass(package + "RateLimitResponse")
        asked = []

        def decide(question, context):
            asked.append([[(entry.key, entry.value) for entry in one.entries] for one in question.descriptors])
            return Response(overall_code=2 if ("who", "greedy") in asked[-1][0] else 1)

        server = self.start(
            GrpcServer(
                package + "RateLimitService",
                "ShouldRateLimit",
                decide,
                package + "RateLimitRequest",
                package + "RateLimitResponse",
            )
        )
        limits = [
            {
                "actions": [
                    {"destination_cluster": {}},
                    {"remote_address": {}},
                    {"request_headers": {"header_name": "x-who", "descriptor_key": "who"}},
                ]
            }
        ]
        limiter = httpFilter(
            "ratelimit",
            "ratelimit.v3.RateLimit",
            domain="shop",
            timeout="5s",
            rate_limit_service={"grpc_service": service("limits"), "transport_api_version": "V3"},
        )
        port = self.proxy(
            limiter, clusters=[cluster("limits", server.port, **HTTP2)], routes=[route("up", rate_limits=limits)]
        )

        statuses = [get(port, headers=headers).status for headers in ([], [("x-who", "ada")], [("x-who", "greedy")])]

        self.assertEqual(statuses, [200, 200, 429])
        self.assertEqual(asked[0], [[("destination_cluster", "up"), ("remote_address", "127.0.0.1"), ("who", "ada")]])
        self.assertEqual(self.sluice.stat("http.http.ratelimit.over_limit"), 1)


class RateLimitQuotaTest(GrpcCase):
    """Each tenant is assigned two requests an hour, by a service that notes what it is told."""

    PACKAGE = "envoy.service.rate_limit_quota.v3."
    STATS = "http.http.rate_limit_quota."

    def setUp(self):
        super().setUp()
        self.told = []  # (domain, tenant, allowed, denied)
        self.server = self.start(
            GrpcServer(
                self.PACKAGE + "RateLimitQuotaService",
                "StreamRateLimitQuotas",
                self.assign,
                self.PACKAGE + "RateLimitQuotaUsageReports",
                self.PACKAGE + "RateLimitQuotaResponse",
                streaming=True,
            )
        )
        tenant = {"@type": config.TYPE + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": "x-tenant"}
        bucket = {
            "@type": config.TYPE + FILTERS + "rate_limit_quota.v3.RateLimitQuotaBucketSettings",
            "bucket_id_builder": {"bucket_id_builder": {"tenant": {"custom_value": {"name": "i", "typed_config": tenant}}}},
            "reporting_interval": "0.2s",
        }
        quotas = httpFilter(
            "rate_limit_quota",
            "rate_limit_quota.v3.RateLimitQuotaFilterConfig",
            rlqs_server={"envoy_grpc": {"cluster_name": "quotas"}},
            domain="shop",
            bucket_matchers={"on_no_match": {"action": {"name": "tenant", "typed_config": bucket}}},
        )
        self.port = self.proxy(quotas, clusters=[cluster("quotas", self.server.port, **HTTP2)])

    def assign(self, reports, context):
        assigned = set()
        for report in reports:
            answer = messageClass(self.PACKAGE + "RateLimitQuotaResponse")()
            for usage in report.bucket_quota_usages:
                tenant = usage.bucket_id.bucket["tenant"]
                self.told.append((report.domain, tenant, usage.num_requests_allowed, usage.num_requests_denied))
                if tenant not in assigned:
                    action = answer.bucket_action.add(bucket_id=usage.bucket_id)
                    quota = action.quota_assignment_action.rate_limit_strategy.requests_per_time_unit
                    quota.requests_per_time_unit, quota.time_unit = 2, 3  # HOUR
                assigned.add(tenant)
            if answer.bucket_action:
                yield answer

    def ask(self, tenant):
        return get(self.port, headers=[("x-tenant", tenant)]).status

    def waitForStat(self, name, value):
        waitFor(lambda: self.sluice.stat(self.STATS + name) >= value, f"{name} of {value}")

    def test_buckets_have_quotas_and_the_service_is_told_what_they_let_through(self):
        self.assertEqual(self.ask("ada"), 200)
        self.waitForStat("assignments", 1)
        self.assertEqual([self.ask("ada") for _ in range(3)], [200, 200, 429])
        self.assertEqual(self.ask("bob"), 200)
        self.waitForStat("assignments", 2)
        waitFor(
            lambda: [sum(each[i] for each in self.told if each[1] == "ada") for i in (2, 3)] == [3, 1], "reports of ada"
        )
        self.assertEqual({each[0] for each in self.told}, {"shop"})
        self.sluice.terminate()
        self.assertEqual(self.sluice.waitForExit(), 0)

    def test_what_is_assigned_holds_without_the_service(self):
        self.assertEqual(self.ask("ada"), 200)
        self.waitForStat("assignments", 1)
        self.server.stop()
        self.waitForStat("error", 1)
        self.assertEqual([self.ask("ada") for _ in range(3)], [200, 200, 429])
        self.assertEqual([self.ask("new") for _ in range(3)], [200, 200, 200])


class ExtProcTest(GrpcCase):
    def processed(self, process, **fields):
        package = "envoy.service.ext_proc.v3."
        server = self.start(
            GrpcServer(
                package + "ExternalProcessor",
                "Process",
                process,
                package + "ProcessingRequest",
                package + "ProcessingResponse",
                streaming=True,
            )
        )
        processor = httpFilter(
            "ext_proc",
            "ext_proc.v3.ExternalProcessor",
            grpc_service=service("processor"),
            message_timeout="5s",
            **fields,
        )
        return self.proxy(processor, clusters=[cluster("processor", server.port, **HTTP2)])

    def test_both_messages_are_changed_on_one_stream(self):
        Response = messageClass("envoy.service.ext_proc.v3.ProcessingResponse")
        streams = []

        def process(questions, context):
            streams.append([])
            for question in questions:
                kind = question.WhichOneof("request")
                streams[-1].append(kind)
                answer = Response()
                if kind in ("request_headers", "response_headers"):
                    option = getattr(answer, kind).response.header_mutation.set_headers.add()
                    option.header.key, option.header.raw_value = "x-seen", kind.encode()
                else:
                    body = getattr(question, kind).body
                    getattr(answer, kind).response.body_mutation.body = body.upper() + b"!"
                yield answer

        port = self.processed(
            process, processing_mode={"request_body_mode": "BUFFERED", "response_body_mode": "BUFFERED"}
        )

        response = request(port, "POST", "/", body=b"hello")

        seen = self.upstream.next()
        self.assertEqual((seen.body, seen.header("x-seen")), (b"HELLO!", "request_headers"))
        self.assertEqual((response.status, response.header("x-seen")), (200, "response_headers"))
        self.assertTrue(response.body.endswith(b"!"))
        self.assertEqual(streams, [["request_headers", "request_body", "response_headers", "response_body"]])

    def test_it_answers_the_client_itself(self):
        def process(questions, context):
            next(questions)
            answer = messageClass("envoy.service.ext_proc.v3.ProcessingResponse")()
            answer.immediate_response.status.code = 403
            answer.immediate_response.body = b"not today"
            yield answer

        response = get(self.processed(process))

        self.assertEqual((response.status, response.body), (403, b"not today"))
        self.assertTrue(self.upstream.requests.empty())

    def test_a_processor_that_fails_stops_the_exchange_unless_that_is_allowed(self):
        def process(questions, context):
            import grpc

            next(questions)
            context.abort(grpc.StatusCode.INTERNAL, "broken")
            yield

        self.assertEqual(get(self.processed(process)).status, 500)
        self.assertEqual(get(self.processed(process, failure_mode_allow=True)).status, 200)


class FieldExtractionTest(GrpcCase):
    def test_a_field_of_the_first_message_is_there_for_routes_and_a_message_that_cannot_be_read_is_refused(self):
        from google.protobuf import descriptor_pb2

        types = descriptor_pb2.FileDescriptorSet()
        file = types.file.add(name="hello.proto", package="hello", syntax="proto3")
        file.message_type.add(name="Name").field.add(name="name", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
        greeter = file.service.add(name="Greeter")
        greeter.method.add(name="Greet", input_type=".hello.Name", output_type=".hello.Name")
        extract = httpFilter(
            "grpc_field_extraction",
            "grpc_field_extraction.v3.GrpcFieldExtractionConfig",
            descriptor_set={"inline_bytes": base64.b64encode(types.SerializeToString()).decode()},
            extractions_by_method={"hello.Greeter.Greet": {"request_field_extractions": {"name": {}}}},
        )
        seen = "%DYNAMIC_METADATA(envoy.filters.http.grpc_field_extraction:name)%"
        add = [{"header": {"key": "x-seen", "value": seen}}]
        port = self.proxy(extract, routes=[{**route("up"), "request_headers_to_add": add}])
        headers = [("content-type", "application/grpc")]
        message = frame(b"\x0a\x03ada")

        request(port, "POST", "/hello.Greeter/Greet", headers, [message[:4], message[4:]])
        refused = request(port, "POST", "/hello.Greeter/Greet", headers, frame(b"\x0a\x7fx"))

        arrived = self.upstream.next()
        self.assertEqual((arrived.header("x-seen"), arrived.body), ('["ada"]', message))
        self.assertEqual((refused.status, refused.header("grpc-status")), (200, "3"))


class GrpcWebTest(GrpcCase):
    def bridge(self):
        def place(order, context):
            context.set_trailing_metadata((("x-cost", "7"),))
            return order.upper()

        backend = self.start(GrpcServer("shop.Orders", "Place", place))
        stats = httpFilter(
            "grpc_stats",
            "grpc_stats.v3.FilterConfig",
            individual_method_stats_allowlist={"services": [{"name": "shop.Orders", "method_names": ["Place"]}]},
        )
        return self.proxy(httpFilter("grpc_web", "grpc_web.v3.GrpcWeb"), stats, upstream=backend)

    def test_a_browser_calls_a_grpc_service(self):
        port = self.bridge()

        response = request(
            port, "POST", "/shop.Orders/Place", headers=[("content-type", "application/grpc-web")], body=frame(b"tea")
        )

        self.assertEqual((response.status, response.header("content-type")), (200, "application/grpc-web+proto"))
        message = frame(b"TEA")
        self.assertEqual(response.body[: len(message)], message)
        flag, size = struct.unpack(">BI", response.body[len(message) : len(message) + 5])
        trailers = response.body[len(message) + 5 :]
        self.assertEqual((flag, size), (0x80, len(trailers)))
        self.assertIn(b"grpc-status: 0\r\n", trailers)
        self.assertIn(b"x-cost: 7\r\n", trailers)
        self.assertEqual(self.sluice.stat("cluster.up.grpc.shop.Orders.Place.success"), 1)
        self.assertEqual(self.sluice.stat("cluster.up.grpc.shop.Orders.Place.request_message_count"), 1)

    def test_in_base64_cut_anywhere(self):
        port = self.bridge()
        text = base64.b64encode(frame(b"green tea"))

        response = request(
            port,
            "POST",
            "/shop.Orders/Place",
            headers=[("content-type", "application/grpc-web-text"), ("accept", "application/grpc-web-text")],
            body=[text[i : i + 3] for i in range(0, len(text), 3)],
        )

        message = base64.b64encode(frame(b"GREEN TEA"))
        self.assertEqual(response.body[: len(message)], message)
        trailers = base64.b64decode(response.body[len(message) :])
        self.assertEqual(trailers[0], 0x80)
        self.assertIn(b"grpc-status: 0\r\n", trailers)

    def test_an_unknown_method_is_told_in_the_head_or_the_last_frame(self):
        response = request(
            self.bridge(), "POST", "/shop.Orders/No", headers=[("content-type", "application/grpc-web")], body=frame(b"")
        )

        status = response.header("grpc-status") or response.body.decode()
        self.assertIn("12", status)


if __name__ == "__main__":
    unittest.main()
