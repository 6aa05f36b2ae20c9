"""`sluice` against an ADS server in Python's gRPC: every type, both encodings, refusals, and a server that goes away."""
import concurrent.futures
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client, config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, LISTENER, ROUTE, SCOPE, VIRTUAL_HOST, AdsServer  # noqa: E402
from harness.upstream import freePort  # noqa: E402

ADS = {"ads": {}, "resource_api_version": "V3"}


ON_DEMAND = {
    "name": "envoy.filters.http.on_demand",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.on_demand.v3.OnDemand"},
}


def edsCluster(name):
    return {"name": name, "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": ADS}}


def rdsListener(name, port, routes, **hcm):
    rds = {"route_config_name": routes, "config_source": ADS}
    return httpListener(name, rds=rds, address=config.socketAddress(port), **hcm)


def scopedListener(name, port, **hcm):
    """Whose scopes come by SRDS, and are told apart by the first element of x-tenant."""
    extractor = {"name": "X-Tenant", "element_separator": ";", "index": 0}
    scoped_routes = {
        "name": "tenants",
        "scope_key_builder": {"fragments": [{"header_value_extractor": extractor}]},
        "rds_config_source": ADS,
        "scoped_rds": {"scoped_rds_config_source": ADS},
    }
    return httpListener(name, scoped_routes=scoped_routes, address=config.socketAddress(port), **hcm)


def scope(name, key, routes, **more):
    return {"name": name, "key": {"fragments": [{"string_key": key}]}, "route_configuration_name": routes, **more}


class XdsCase:
    """The tests below, once an encoding."""

    delta = False

    def setUp(self):
        super().setUp()
        self.server = self.start(AdsServer())
        self.port = freePort()
        self.one, self.two = (
            self.start(HttpUpstream(lambda request, name=name: Reply(200, name))) for name in (b"one", b"two")
        )

    def serve(self, bootstrap=None):
        """Everything by xDS: listener, routes, an EDS cluster "up" with upstream one."""
        self.server.set(CLUSTER, edsCluster("up"))
        self.server.set(ENDPOINT, config.loadAssignment("up", [self.one.port]))
        self.server.set(LISTENER, rdsListener("http", self.port, "routes"))
        self.server.set(ROUTE, config.routeConfig("routes", [route("up")]))
        bootstrap = bootstrap or config.xdsBootstrap(self.server.port, self.delta)
        self.sluice = self.start(Sluice(self.scratch, bootstrap, wait=False))
        self.waitForBody(b"one")

    def body(self, path="/"):
        response = get(self.port, path)
        return response.body if response.status == 200 else b"status %d" % response.status

    def waitForBody(self, expected, path="/"):
        def seen():
            self.sluice.mustRun()
            return self.body(path) == expected

        waitFor(seen, f"the answer {expected!r}")

    def waitForVerdict(self, type_url):
        return waitFor(lambda: self.server.verdict(type_url) is not None and (self.server.verdict(type_url) or "ok"), "a verdict")

    def test_all_types_arrive_and_are_acknowledged(self):
        self.serve()

        for type_url in (LISTENER, ROUTE, CLUSTER, ENDPOINT):
            self.assertEqual(self.waitForVerdict(type_url), "ok", type_url)
        self.assertEqual(self.sluice.admin("/ready").status, 200)

    def test_a_stream_that_breaks_is_told_by_each_name_that_it_carries(self):
        self.serve()
        names = ("cluster.up.update_failure", "http.http.rds.routes.update_failure")
        self.assertEqual([self.sluice.stat(name) for name in names], [0, 0])

        self.server.stop()

        waitFor(lambda: all(self.sluice.stat(name) > 0 for name in names), "the failures to be told")
        self.assertGreater(self.sluice.stat("cluster.up.update_attempt"), 2)
        self.assertEqual(self.sluice.stat("cluster.up.update_success"), 1)

    def test_a_second_server_serves_while_the_first_has_never_answered(self):
        bootstrap = config.xdsBootstrap(freePort(), self.delta)
        bootstrap["static_resources"]["clusters"].append(cluster("other", self.server.port, **config.HTTP2))
        services = bootstrap["dynamic_resources"]["ads_config"]["grpc_services"]
        services.append({"envoy_grpc": {"cluster_name": "other"}})

        self.serve(bootstrap)

        self.assertEqual(self.sluice.stat("control_plane.connected_state"), 2)
        self.server.set(ENDPOINT, config.loadAssignment("up", [self.two.port]))
        self.waitForBody(b"two")

    def shown(self, type_url, name):
        """What /xds says of a resource."""
        listed = self.sluice.adminJson("/xds")["resources"]
        return next((one for one in listed if type_url.endswith(one["type"]) and one["name"] == name), {})

    def test_an_error_of_the_server_is_shown_and_what_was_taken_serves_on(self):
        self.serve()
        self.server.set(ENDPOINT, errors={"up": (14, "the inventory is away")})

        waitFor(lambda: self.shown(ENDPOINT, "up").get("state") == "failed", "the error")
        self.assertEqual(self.shown(ENDPOINT, "up")["error"], "UNAVAILABLE: the inventory is away")
        self.assertEqual(self.waitForVerdict(ENDPOINT), "ok")
        self.assertEqual(self.body(), b"one")
        self.assertIn("RECEIVED_ERROR", json.dumps(self.sluice.adminJson("/config_dump?include_eds")))

        self.server.set(ENDPOINT, config.loadAssignment("up", [self.two.port]))
        self.waitForBody(b"two")
        self.assertEqual(self.shown(ENDPOINT, "up")["state"], "serving")

    def test_a_resource_that_the_server_says_there_is_not_is_gone(self):
        self.serve()

        self.server.set(CLUSTER, errors={"up": (5, "it was sold")})

        waitFor(lambda: self.shown(CLUSTER, "up") == {}, "the end of the cluster")  # nobody asked for it by name
        self.assertEqual(self.body(), b"one")  # a table leads to it

        self.server.set(ROUTE, config.routeConfig("routes", [directResponse(200, "none")]))
        self.waitForBody(b"none")
        statuses = lambda: self.sluice.adminJson("/clusters?format=json")["cluster_statuses"]  # noqa: E731
        waitFor(lambda: "up" not in [status["name"] for status in statuses()], "nobody to use it")

    def test_endpoints_from_self_are_asked_of_the_server_that_the_cluster_came_from(self):
        self.serve()
        own = edsCluster("own")
        own["eds_cluster_config"]["eds_config"] = {"self": {}}
        self.server.set(CLUSTER, edsCluster("up"), own)
        self.server.set(ENDPOINT, config.loadAssignment("up", [self.one.port]), config.loadAssignment("own", [self.two.port]))
        self.server.set(ROUTE, config.routeConfig("routes", [route("own")]))

        self.waitForBody(b"two")

    def serveScopes(self, *scopes, tables=(), **hcm):
        self.server.set(LISTENER, scopedListener("http", self.port, **hcm))
        self.server.set(SCOPE, *scopes)
        self.server.set(ROUTE, *(config.routeConfig(name, [config.directResponse(200, name)]) for name in tables))
        self.server.set(CLUSTER)
        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.server.port, self.delta), wait=False))

    def tenant(self, name):
        response = get(self.port, "/", headers=[("x-tenant", name)])
        return response.body.decode() if response.status == 200 else str(response.status)

    def waitForTenant(self, name, expected):
        def seen():
            self.sluice.mustRun()
            try:
                return self.tenant(name) == expected
            except OSError:  # nobody listens so far
                return False

        waitFor(seen, f"{expected} for {name}")

    def test_requests_use_the_routes_of_their_scopes_which_come_and_go(self):
        self.serveScopes(scope("one", "a", "first"), scope("two", "b", "second"), tables=("first", "second", "third"))
        self.waitForTenant("a;x", "first")
        self.assertEqual(self.waitForVerdict(SCOPE), "ok")
        self.assertEqual([self.tenant(name) for name in ("a", "b", "c", "x;a")], ["first", "second", "404", "404"])
        self.assertEqual(self.sluice.stat("http.http.scoped_rds.tenants.all_scopes"), 2)

        self.server.set(SCOPE, scope("one", "b", "third"), scope("three", "a", "second"))
        self.waitForTenant("b", "third")
        self.waitForTenant("a", "second")

        self.server.set(SCOPE, scope("one", "b", "third"))
        self.waitForTenant("a", "404")
        self.assertEqual(self.tenant("b"), "third")

    def test_a_request_waits_for_the_routes_of_its_scope_that_are_on_demand(self):
        self.serveScopes(
            scope("one", "a", "first"), scope("two", "b", "second", on_demand=True), tables=("first", "second"), filters=[ON_DEMAND]
        )
        self.waitForTenant("a", "first")
        self.assertEqual(self.sluice.stat("http.http.scoped_rds.tenants.active_scopes"), 1)

        self.assertEqual(self.tenant("b"), "second")
        self.assertEqual(self.tenant("c"), "404")

        self.assertEqual(self.sluice.stat("http.http.scoped_rds.tenants.active_scopes"), 2)
        self.assertEqual(self.tenant("b"), "second")

    def test_two_scopes_with_one_key_are_refused_by_name_and_the_first_serves(self):
        self.serveScopes(scope("one", "a", "first"), tables=("first", "second"))
        self.waitForTenant("a", "first")

        self.server.set(SCOPE, scope("one", "a", "first"), scope("two", "a", "second"))

        error = waitFor(lambda: self.server.verdict(SCOPE), "the refusal")
        self.assertIn("scope 'two' has the key of scope 'one'", error)
        self.assertEqual(self.tenant("a"), "first")
        dump = json.dumps(self.sluice.adminJson("/config_dump"))
        self.assertIn("dynamic_scoped_route_configs", dump)
        self.assertIn("scope 'two' has the key of scope 'one'", dump)

    def test_the_dump_tells_what_was_refused_what_never_came_and_what_drains(self):
        self.serve()
        bad = {**edsCluster("up"), "connect_timeout": "-1s"}
        self.server.set(CLUSTER, bad, {**edsCluster("new"), "connect_timeout": "-1s"})
        waitFor(lambda: self.server.verdict(CLUSTER), "the refusal")

        def dumped(resource):
            return self.sluice.adminJson(f"/config_dump?include_eds&resource={resource}").get("configs", [])

        (active,) = dumped("dynamic_active_clusters")
        self.assertEqual(active["client_status"], "NACKED")
        self.assertEqual(active["cluster"]["connect_timeout"], "1s")
        failure = active["error_state"]
        self.assertIn("connect_timeout", failure["details"])
        self.assertEqual(failure["failed_configuration"]["connect_timeout"], "-1s")
        self.assertRegex(failure["last_update_attempt"], r"^20\d\d-")
        (never,) = dumped("dynamic_warming_clusters")
        self.assertEqual((never["cluster"]["name"], never["client_status"]), ("new", "NACKED"))
        (endpoints,) = dumped("dynamic_endpoint_configs")
        self.assertEqual((endpoints["endpoint_config"]["cluster_name"], endpoints["client_status"]), ("up", "ACKED"))
        (routes,) = dumped("dynamic_route_configs")
        self.assertEqual((routes["route_config"]["name"], routes["client_status"]), ("routes", "ACKED"))
        (own,) = self.sluice.adminJson("/csds")["config"]
        told = {item["name"]: item.get("client_status") for item in own["generic_xds_configs"]}
        self.assertEqual((told["new"], told["routes"], own["node"]["id"]), ("NACKED", "ACKED", "node-1"))

        self.server.set(LISTENER, rdsListener("http", self.port, "routes", always_set_request_id_in_response=True))
        waitFor(lambda: get(self.port).header("x-request-id"), "the new listener")
        (listener,) = dumped("dynamic_listeners")
        self.assertNotIn("always_set_request_id_in_response", json.dumps(listener["draining_state"]))
        self.assertIn("always_set_request_id_in_response", json.dumps(listener["active_state"]))

    def test_each_type_takes_effect_without_closing_a_connection(self):
        self.serve()
        with rawConnection(self.port) as sock:
            source = client.reader(sock)

            def ask():
                sock.sendall(client.requestBytes("GET", "/"))
                return readResponse(source)

            self.assertEqual(ask().body, b"one")
            self.server.set(ENDPOINT, config.loadAssignment("up", [self.two.port]))
            waitFor(lambda: ask().body == b"two", "the new endpoints on the old connection")
            self.server.set(CLUSTER, edsCluster("up"), cluster("static", self.one.port))
            self.server.set(ROUTE, config.routeConfig("routes", [route("static")]))
            waitFor(lambda: ask().body == b"one", "the new route on the old connection")

    def test_a_changed_listener_answers_its_connections_with_close_and_serves_new_ones(self):
        self.serve()
        with rawConnection(self.port) as sock:
            source = client.reader(sock)
            sock.sendall(client.requestBytes("GET", "/"))
            readResponse(source)

            self.server.set(
                LISTENER, rdsListener("http", self.port, "routes", always_set_request_id_in_response=True)
            )
            waitFor(lambda: get(self.port).header("x-request-id"), "the new listener")
            sock.sendall(client.requestBytes("GET", "/"))
            last = readResponse(source)

        self.assertEqual((last.status, (last.header("connection") or "").lower()), (200, "close"))

    def test_a_removed_listener_stops_accepting_and_its_port_can_be_taken_again(self):
        self.serve()
        self.server.set(LISTENER)

        def refused():
            try:
                rawConnection(self.port).close()
            except ConnectionRefusedError:
                return True
            return False

        waitFor(refused, "the port to be closed")
        self.server.set(LISTENER, rdsListener("http", self.port, "routes"))
        self.waitForBody(b"one")

    def test_a_bad_resource_is_refused_by_name_and_its_neighbours_are_applied(self):
        self.serve()
        broken = cluster("broken", self.one.port, connect_timeout="-1s")

        self.server.set(CLUSTER, edsCluster("up"), broken, cluster("good", self.two.port))
        verdict = self.waitForVerdict(CLUSTER)
        self.server.set(ROUTE, config.routeConfig("routes", [route("good", prefix="/good"), route("up")]))

        self.assertIn("broken", verdict)
        self.assertIn("connect_timeout", verdict)
        self.waitForBody(b"two", "/good")
        self.assertEqual(self.body("/"), b"one")

    def test_a_refused_change_leaves_the_last_good_version_serving(self):
        self.serve()

        self.server.set(ROUTE, config.routeConfig("routes", [route("up", match={"safe_regex": {"regex": "("}})]))
        verdict = self.waitForVerdict(ROUTE)

        self.assertIn("routes", verdict)
        self.assertIn("regex", verdict)
        self.assertEqual(self.body(), b"one")
        self.server.set(ROUTE, config.routeConfig("routes", [directResponse(200, "good again")]))
        self.waitForBody(b"good again")

    def test_traffic_goes_on_while_the_server_is_away_and_follows_it_when_it_is_back(self):
        self.serve()
        xds_port = self.server.port

        self.server.stop()
        self.assertEqual([self.body() for _ in range(5)], [b"one"] * 5)
        self.server = self.start(AdsServer(xds_port))
        self.server.set(CLUSTER, edsCluster("up"))
        self.server.set(ENDPOINT, config.loadAssignment("up", [self.two.port]))
        self.server.set(LISTENER, rdsListener("http", self.port, "routes"))
        self.server.set(ROUTE, config.routeConfig("routes", [route("up")]))

        waitFor(lambda: self.body() == b"two", "the configuration of the server that came back", 40)

    def test_a_cluster_that_leaves_before_its_route_serves_until_the_route_has_left(self):
        self.serve()
        self.server.set(ENDPOINT, config.loadAssignment("up2", [self.two.port]))
        self.server.set(CLUSTER, edsCluster("up2"))  # "up" is gone, and the routes still lead to it

        waitFor(lambda: self.sluice.stat("cluster_manager.cluster_removed") == 1, "the removal")
        self.assertEqual([self.body() for _ in range(20)], [b"one"] * 20)
        self.server.set(ROUTE, config.routeConfig("routes", [route("up2")]))
        self.waitForBody(b"two")

        waitFor(lambda: "cluster.up.upstream_rq_total" not in self.sluice.stats("cluster.up."), "the old cluster's end")
        self.assertEqual(self.sluice.stat("cluster_manager.active_clusters"), 2)  # the control plane's, and up2

    def test_names_that_come_and_go_leave_no_stats_behind(self):
        self.serve()

        def publish(number):
            self.server.set(CLUSTER, edsCluster("up"), cluster(f"c{number}", self.two.port))
            self.server.set(ROUTE, config.routeConfig("routes", [route("up", prefix=f"/{number}"), route(f"c{number}")]))
            self.server.set(LISTENER, rdsListener("http", self.port, "routes", stat_prefix=f"p{number}"))
            waitFor(lambda: self.sluice.stats(f"http.p{number}."), "the listener")
            self.waitForBody(b"two")

        publish(0)
        waitFor(lambda: not self.sluice.stats("http.http."), "the first listener's end", 40)
        before = len(self.sluice.stats())
        for number in range(1, 6):
            publish(number)
        waitFor(lambda: len(self.sluice.stats()) == before, "the end of all names but the last", 40)

    def test_settings_for_a_filter_that_no_chain_has_are_told(self):
        self.serve()
        setting = {"@type": config.TYPE + "envoy.config.route.v3.FilterConfig", "disabled": True}
        self.server.set(ROUTE, config.routeConfig("routes", [{**route("up"), "typed_per_filter_config": {"no_such": setting}}]))

        waitFor(lambda: self.sluice.stat("listener_manager.rds_unknown_filter_settings") == 1, "the count")
        self.assertEqual(self.waitForVerdict(ROUTE), "ok")
        self.assertIn("routes 'routes' have settings for filter 'no_such'", self.sluice.log())

    def test_a_proxy_is_not_ready_before_the_control_plane_told_of_listeners(self):
        self.server.stop()
        bootstrap = config.xdsBootstrap(self.server.port, self.delta)
        for source in ("lds_config", "cds_config"):
            bootstrap["dynamic_resources"][source]["initial_fetch_timeout"] = "0.2s"
        self.sluice = self.start(Sluice(self.scratch, bootstrap, wait=False))
        waitFor(lambda: "no listeners came in time" in self.sluice.log(), "the end of the wait")
        waitFor(lambda: "is ready" in self.sluice.log(), "the start")

        answer = self.sluice.admin("/ready")
        self.assertEqual((answer.status, answer.body), (503, b"INITIALIZING\nno listeners have come from the control plane\n"))
        self.server = self.start(AdsServer(self.server.port))
        self.server.set(CLUSTER)
        self.server.set(LISTENER)  # none is an answer
        waitFor(lambda: self.sluice.admin("/ready").status == 200, "the process to be ready", 40)

    def test_under_the_other_defaults_a_proxy_without_a_control_plane_is_ready(self):
        self.server.stop()
        bootstrap = config.xdsBootstrap(self.server.port, self.delta)
        for source in ("lds_config", "cds_config"):
            bootstrap["dynamic_resources"][source]["initial_fetch_timeout"] = "0.2s"
        self.sluice = self.start(Sluice(self.scratch, bootstrap, args=["--defaults=envoy"], wait=False))
        waitFor(lambda: self.sluice.admin("/ready").status == 200, "the process to be ready")

    def test_a_proxy_that_starts_before_its_server_serves_once_it_is_there(self):
        self.server.stop()
        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.server.port, self.delta), wait=False))
        waitFor(lambda: self.sluice.admin("/server_info").status == 200, "the admin server")
        self.assertNotEqual(self.sluice.admin("/ready").status, 200)

        self.server = self.start(AdsServer(self.server.port))
        self.server.set(LISTENER, httpListener("http", [directResponse(200, "late")], address=config.socketAddress(self.port)))
        self.server.set(CLUSTER)

        waitFor(lambda: self.body() == b"late", "the first listener", 40)


class StateOfTheWorldTest(XdsCase, SluiceTestCase):
    delta = False


class DeltaTest(XdsCase, SluiceTestCase):
    delta = True

    def test_a_virtual_host_comes_when_a_request_wants_it_and_follows_the_control_plane(self):
        def host(domain, text):
            return {"name": "routes/" + domain, "domains": [domain], "routes": [config.directResponse(200, text)]}

        def table(text):
            return {"name": "routes", "vhds": {"config_source": ADS}, "virtual_hosts": [host("own.example", text)]}

        def shows(domain, text):
            self.sluice.mustRun()
            try:
                return get(self.port, "/", host=domain).body.decode() == text
            except OSError:  # nobody listens so far
                return False

        self.server.set(CLUSTER)
        self.server.set(LISTENER, rdsListener("http", self.port, "routes", filters=[ON_DEMAND]))
        self.server.set(VIRTUAL_HOST, host("a.example", "a"), host("b.example", "b"))
        self.server.set(ROUTE, table("own"))
        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.server.port, self.delta), wait=False))
        waitFor(lambda: shows("own.example", "own"), "the table")

        self.assertTrue(shows("A.example", "a"))

        self.server.set(VIRTUAL_HOST, host("a.example", "changed"), host("b.example", "b"))
        waitFor(lambda: shows("a.example", "changed"), "the change")

        self.server.set(ROUTE, table("other"))
        waitFor(lambda: shows("own.example", "other"), "the other table")
        self.assertTrue(shows("a.example", "changed"))
        self.assertTrue(shows("b.example", "b"))


    def test_a_scope_on_demand_may_have_its_hosts_on_demand(self):
        own = {"name": "first/a.example", "domains": ["a.example"], "routes": [config.directResponse(200, "a")]}
        self.server.set(VIRTUAL_HOST, own)
        self.serveScopes(scope("one", "a", "first", on_demand=True), filters=[ON_DEMAND])
        self.server.set(ROUTE, {"name": "first", "vhds": {"config_source": ADS}})
        self.waitForTenant("nobody", "404")

        response = get(self.port, "/", host="a.example", headers=[("x-tenant", "a")])

        self.assertEqual((response.status, response.body), (200, b"a"))

    def serveClustersOnDemand(self, timeout):
        """By the name in x-cluster; nothing asks for all clusters."""
        odcds = {"source": ADS, "timeout": timeout}
        on_demand = {**ON_DEMAND, "typed_config": {**ON_DEMAND["typed_config"], "odcds": odcds}}
        by_header = {"match": {"prefix": "/"}, "route": {"cluster_header": "x-cluster"}}
        listener = httpListener("http", [by_header], address=config.socketAddress(self.port), filters=[on_demand])
        self.server.set(LISTENER, listener)
        bootstrap = config.xdsBootstrap(self.server.port, self.delta)
        del bootstrap["dynamic_resources"]["cds_config"]
        self.sluice = self.start(Sluice(self.scratch, bootstrap, wait=False))

        def listens():
            self.sluice.mustRun()
            try:
                return get(self.port).status == 503  # no cluster is named
            except OSError:
                return False

        waitFor(listens, "the listener")

    def ask(self, name):
        response = get(self.port, "/", headers=[("x-cluster", name)])
        return response.body if response.status == 200 else b"%d" % response.status

    def test_a_cluster_comes_when_a_request_wants_it_and_follows_the_control_plane(self):
        self.server.tells_missing = True
        self.server.set(CLUSTER, cluster("a", self.one.port))
        self.serveClustersOnDemand("60s")

        self.assertEqual(self.ask("a"), b"one")
        self.assertEqual(self.ask("nobody"), b"503")
        self.assertEqual(self.ask("*"), b"503")
        self.assertNotIn((CLUSTER, "*"), self.server.asked)

        self.server.set(CLUSTER, cluster("a", self.two.port), cluster("nobody", self.one.port))
        waitFor(lambda: self.ask("a") == b"two" and self.ask("nobody") == b"one", "the change")
        self.server.set(CLUSTER, cluster("nobody", self.one.port))
        waitFor(lambda: self.ask("a") == b"503", "the end of a")
        self.assertEqual(self.ask("nobody"), b"one")

    def test_requests_wait_for_a_cluster_and_its_endpoints_and_ask_for_it_once(self):
        self.server.set(CLUSTER)
        self.server.set(ENDPOINT)
        self.serveClustersOnDemand("60s")
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            answers = [clients.submit(self.ask, "late") for _ in range(4)]
            waitFor(lambda: (CLUSTER, "late") in self.server.asked, "the question")

            self.server.set(CLUSTER, edsCluster("late"))
            waitFor(lambda: (ENDPOINT, "late") in self.server.asked, "the question for its endpoints")
            self.assertFalse(any(answer.done() for answer in answers))
            self.server.set(ENDPOINT, config.loadAssignment("late", [self.one.port]))

            self.assertEqual([answer.result() for answer in answers], [b"one"] * 4)
        self.assertEqual(self.server.asked.count((CLUSTER, "late")), 1)

    def test_a_request_whose_cluster_does_not_come_is_answered(self):
        self.server.set(CLUSTER)
        self.serveClustersOnDemand("0.2s")

        self.assertEqual(self.ask("late"), b"503")

        self.server.set(CLUSTER, cluster("late", self.one.port))
        waitFor(lambda: self.ask("late") == b"one", "the cluster")

    def test_a_name_that_is_no_text_does_not_reach_the_control_plane(self):
        host = {"name": "routes/a", "domains": ["a"], "routes": [config.directResponse(200, "a")]}
        self.server.set(CLUSTER)
        self.server.set(VIRTUAL_HOST, host)
        self.server.set(LISTENER, rdsListener("http", self.port, "routes", filters=[ON_DEMAND]))
        self.server.set(ROUTE, {"name": "routes", "vhost_header": "x-host", "vhds": {"config_source": ADS}})
        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.server.port, self.delta), wait=False))

        def ask(name):
            with rawConnection(self.port) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-host: " + name + b"\r\n\r\n")
                return sock.recv(65536).split(b" ")[1]

        def serves():
            self.sluice.mustRun()
            try:
                return ask(b"") == b"404"
            except OSError:  # nobody listens so far
                return False

        waitFor(serves, "the listener")
        self.assertEqual(ask(b"a\xff"), b"404")
        self.assertEqual(ask(b"a"), b"200")
        self.assertEqual(self.sluice.stat("control_plane.connected_state"), 1)


class RestServer:
    """Answers polls with what it was told last, and with 304 who has that."""

    def __init__(self):
        self.answers = {}  # what stands behind "discovery:" -> (version, text or resources)
        self.asked = []  # (what, request)

    def set(self, what, version, *resources):
        self.answers[what] = version, list(resources)

    def __call__(self, request):
        what = request.path.removeprefix("/v3/discovery:")
        asked = json.loads(request.body)
        self.asked.append((what, asked))
        version, resources = self.answers.get(what, ("", []))
        if version and asked.get("version_info") == version:
            return Reply(304, b"")
        if version == "broken":
            return Reply(200, b'{"resources": [{"@type"')
        body = {"version_info": version, "type_url": asked["type_url"], "resources": resources, "nonce": f"nonce of {version}"}
        return Reply(200, json.dumps(body).encode(), [("content-type", "application/json")])

    def last(self, what):
        return [request for kind, request in self.asked if kind == what][-1]


class RestTest(SluiceTestCase):
    """Everything from a server that is polled."""

    def setUp(self):
        super().setUp()
        self.rest = RestServer()
        self.server = self.start(HttpUpstream(self.rest))
        self.port = freePort()
        self.one, self.two = (
            self.start(HttpUpstream(lambda request, name=name: Reply(200, name))) for name in (b"one", b"two")
        )
        api = {"api_type": "REST", "transport_api_version": "V3", "cluster_names": ["xds"], "refresh_delay": "0.05s"}
        self.source = {"api_config_source": api, "resource_api_version": "V3"}

    def serve(self):
        up = {**edsCluster("up"), "eds_cluster_config": {"eds_config": self.source}}
        listener = httpListener(
            "http", rds={"route_config_name": "routes", "config_source": self.source}, address=config.socketAddress(self.port)
        )
        self.publish("clusters", "1", (CLUSTER, up))
        self.publish("endpoints", "1", (ENDPOINT, config.loadAssignment("up", [self.one.port])))
        self.publish("listeners", "1", (LISTENER, listener))
        self.publish("routes", "1", (ROUTE, config.routeConfig("routes", [route("up")])))
        text = {
            "node": {"id": "n", "cluster": "c"},
            "admin": {"address": config.socketAddress(0)},
            "dynamic_resources": {"lds_config": self.source, "cds_config": self.source},
            "static_resources": {"clusters": [cluster("xds", self.server.port)]},
        }
        self.sluice = self.start(Sluice(self.scratch, text, wait=False))
        self.waitForBody(b"one")

    def publish(self, what, version, *typed):
        self.rest.set(what, version, *({"@type": type_url, **resource} for type_url, resource in typed))

    def waitForBody(self, expected):
        def seen():
            self.sluice.mustRun()
            try:
                return get(self.port).body == expected
            except OSError:  # nobody listens so far
                return False

        waitFor(seen, f"the answer {expected!r}")

    def test_all_types_are_polled_and_changes_take_effect(self):
        self.serve()
        self.assertEqual(self.rest.last("clusters")["node"]["id"], "n")
        self.assertEqual(self.rest.last("endpoints")["resource_names"], ["up"])
        waitFor(lambda: self.rest.last("listeners").get("version_info") == "1", "the version that was taken")

        self.publish("endpoints", "2", (ENDPOINT, config.loadAssignment("up", [self.two.port])))

        self.waitForBody(b"two")

    def test_what_is_refused_is_told_with_the_next_request_and_the_last_good_one_serves(self):
        self.serve()
        self.publish("routes", "2", (ROUTE, {"name": "routes", "virtual_hosts": [{"name": "v", "domains": []}]}))

        waitFor(lambda: "error_detail" in self.rest.last("routes"), "the refusal")
        error = self.rest.last("routes")["error_detail"]["message"]
        self.assertIn('RouteConfiguration "routes": virtual_hosts[0].domains', error)
        self.assertEqual(self.rest.last("routes")["version_info"], "1")

        self.publish("routes", "broken")
        waitFor(lambda: "cannot be read" in self.sluice.log(), "the broken answer")
        self.assertEqual(get(self.port).body, b"one")
        self.publish("routes", "3", (ROUTE, config.routeConfig("routes", [directResponse(200, "three")])))
        self.waitForBody(b"three")

    def test_traffic_goes_on_while_the_server_is_away(self):
        self.serve()

        self.server.stop()

        waitFor(lambda: "no answer" in self.sluice.log(), "the failure")
        self.assertEqual([get(self.port).body for _ in range(5)], [b"one"] * 5)
        waitFor(lambda: self.sluice.stat("cluster.up.update_failure") > 0, "the failure of endpoints")


class FileTest(SluiceTestCase):
    """Resources from files, replaced by rename."""

    def test_a_renamed_file_takes_effect_and_a_broken_one_does_not(self):
        port = freePort()
        up = self.start(HttpUpstream(lambda request: Reply(200, b"up")))

        def write(kind, type_name, *resources):
            body = {"resources": [{"@type": config.TYPE + type_name, **resource} for resource in resources]}
            return self.scratch.write(f"xds/{kind}.json", json.dumps(body))

        lds = write(
            "lds",
            "envoy.config.listener.v3.Listener",
            httpListener("http", [directResponse(200, "before")], address=config.socketAddress(port)),
        )
        cds = write("cds", "envoy.config.cluster.v3.Cluster", cluster("up", up.port))
        source = lambda path: {"path_config_source": {"path": path}, "resource_api_version": "V3"}  # noqa: E731
        text = {
            "node": {"id": "n", "cluster": "c"},
            "admin": {"address": config.socketAddress(0)},
            "dynamic_resources": {"lds_config": source(lds), "cds_config": source(cds)},
        }
        self.start(Sluice(self.scratch, text))
        body = lambda: get(port).body  # noqa: E731
        waitFor(lambda: body() == b"before", "the first listener")

        write(
            "lds",
            "envoy.config.listener.v3.Listener",
            httpListener("http", [route("up")], address=config.socketAddress(port)),
        )
        waitFor(lambda: body() == b"up", "the new listener")
        self.scratch.write("xds/lds.json", "{ this is no json")
        write("cds", "envoy.config.cluster.v3.Cluster", cluster("up", up.port), cluster("more", up.port))

        self.assertEqual([body() for _ in range(5)], [b"up"] * 5)

    def test_upstream_filters_may_call_a_cluster_that_stands_behind_theirs(self):
        port = freePort()
        up = self.start(HttpUpstream(lambda request: Reply(200, b"up")))
        authz = self.start(HttpUpstream(lambda request: Reply(200, b"")))
        kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        filters = "envoy.extensions.filters.http."
        service = {"server_uri": {"uri": "http://a", "cluster": "authz", "timeout": "5s"}}
        options = {
            "@type": config.TYPE + kind,
            "explicit_http_config": {"http_protocol_options": {}},
            "http_filters": [
                {
                    "name": "authz",
                    "typed_config": {"@type": config.TYPE + filters + "ext_authz.v3.ExtAuthz", "http_service": service},
                },
                {
                    "name": "codec",
                    "typed_config": {"@type": config.TYPE + filters + "upstream_codec.v3.UpstreamCodec"},
                },
            ],
        }
        clusters = [
            {**cluster("up", up.port), "typed_extension_protocol_options": {kind: options}},
            cluster("authz", authz.port),
        ]
        resources = [{"@type": config.TYPE + "envoy.config.cluster.v3.Cluster", **one} for one in clusters]
        cds = self.scratch.write("xds/cds.json", json.dumps({"resources": resources}))
        text = {
            "node": {"id": "n", "cluster": "c"},
            "admin": {"address": config.socketAddress(0)},
            "static_resources": {
                "listeners": [httpListener("http", [route("up")], address=config.socketAddress(port))]
            },
            "dynamic_resources": {
                "cds_config": {"path_config_source": {"path": cds}, "resource_api_version": "V3"}
            },
        }

        self.start(Sluice(self.scratch, text))

        waitFor(lambda: get(port).body == b"up", "the cluster whose filter calls the other one")


if __name__ == "__main__":
    unittest.main()
