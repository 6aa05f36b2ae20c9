"""Change of everything under load: correct edits lose no request. And the proof that the measure would see a loss.

SLUICE_EDITS and SLUICE_RATE set how much (500 edits, 2,000 requests a second); SLUICE_SERVICE_EDITS how many edits of
services that are discovered by EDS, in each of the four ways to carry xDS (150).
"""
import json
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET  # noqa: E402
from harness.pki import Authority, contentOf  # noqa: E402
from harness.traffic import LoadRun, Origin  # noqa: E402
from harness.upstream import freePort  # noqa: E402

EDITS = int(os.environ.get("SLUICE_EDITS", "500"))
SERVICE_EDITS = int(os.environ.get("SLUICE_SERVICE_EDITS", "150"))
RATE = int(os.environ.get("SLUICE_RATE", "2000"))
MIX = "get=80,post=15,close=3,stream=2,idle=20"
ADS = {"ads": {}, "resource_api_version": "V3"}
KINDS = ("route", "weights", "endpoints", "cluster", "listener", "extra listener")


class Intent:
    """What the folder says. Each edit changes it and returns a check that the change is in effect."""

    def __init__(self, port, extra_port, origins):
        self.port, self.extra_port = port, extra_port
        self.origins = origins  # version -> port
        self.mark = 0  # answered as x-mark by the routes
        self.weights = (50, 50)
        self.endpoints = ["v1"]  # of cluster "dynamic", which /which goes to
        self.generation = 0  # of the name of cluster "static-N", which /static goes to
        self.request_id = False  # whether the listener answers x-request-id
        self.extra = False  # whether the second listener is there

    def document(self):
        static = f"static-{self.generation}"
        weighted = {"clusters": [{"name": "first", "weight": self.weights[0]}, {"name": "second", "weight": self.weights[1]}]}
        routes = [
            route("dynamic", prefix="/which"),
            route(static, prefix="/static"),
            {"match": {"prefix": "/"}, "route": {"weighted_clusters": weighted, "timeout": "0s"}},
        ]
        table = config.routeConfig("routes", routes)
        table["response_headers_to_add"] = [
            {"header": {"key": "x-mark", "value": str(self.mark)}},
            {"header": {"key": "x-weights", "value": str(self.weights[0])}},
            {"header": {"key": "x-static", "value": static}},
        ]
        rds = {"route_config_name": "routes", "config_source": ADS}
        listeners = [
            httpListener(
                "main",
                rds=rds,
                address=config.socketAddress(self.port),
                always_set_request_id_in_response=self.request_id,
            )
        ]
        if self.extra:
            listeners.append(
                httpListener("extra", [directResponse(200, "extra")], address=config.socketAddress(self.extra_port))
            )
        eds = {"name": "dynamic", "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": ADS}}
        clusters = [
            cluster("first", self.origins["v1"]),
            cluster("second", self.origins["v2"]),
            cluster(static, self.origins["v1"], self.origins["v2"]),
            eds,
        ]
        assignment = config.loadAssignment("dynamic", [self.origins[version] for version in self.endpoints])
        typed = [(LISTENER, item) for item in listeners] + [(CLUSTER, item) for item in clusters]
        typed += [(ROUTE, table), (ENDPOINT, assignment)]
        return json.dumps({"resources": [{"@type": type_url, **item} for type_url, item in typed]})

    def edit(self, kind):
        if kind == "route":
            self.mark += 1
            return lambda mark=str(self.mark): get(self.port).header("x-mark") == mark
        if kind == "weights":
            self.weights = ((self.weights[0] + 7) % 100, 100 - (self.weights[0] + 7) % 100)
            return lambda first=str(self.weights[0]): get(self.port).header("x-weights") == first
        if kind == "endpoints":
            self.endpoints = ["v2"] if self.endpoints == ["v1"] else ["v1"]
            return lambda version=self.endpoints[0]: get(self.port, "/which").header("x-version") == version
        if kind == "cluster":
            self.generation += 1
            name = f"static-{self.generation}"

            def switched():
                response = get(self.port, "/static")
                return response.status == 200 and response.header("x-static") == name

            return switched
        if kind == "listener":
            self.request_id = not self.request_id
            return lambda wanted=self.request_id: bool(get(self.port).header("x-request-id")) == wanted
        self.extra = not self.extra
        return lambda wanted=self.extra: self.extraAnswers() == wanted

    def extraAnswers(self):
        try:
            return get(self.extra_port).body == b"extra"
        except (OSError, EOFError):
            return False


class HotSwapTest(SluiceTestCase):
    def startAll(self, *sluice_arguments):
        origins = {version: self.start(Origin(self.scratch, version)).port for version in ("v1", "v2")}
        self.intent = Intent(freePort(), freePort(), origins)
        os.mkdir(self.scratch.join("config"))
        self.publish()
        control = self.start(Control(self.scratch, self.scratch.join("config")))
        self.sluice = self.start(
            Sluice(self.scratch, config.xdsBootstrap(control.xds_port), concurrency=2, args=sluice_arguments, wait=False)
        )
        waitFor(lambda: get(self.intent.port).status == 200, "the first answer", 20)

    def publish(self):
        self.scratch.write("config/all.json", self.intent.document())

    def editUnderLoad(self, kinds, edits, rate, mix=MIX, idle_s=1.0):
        """Makes the edits one after another, each seen in effect; returns the counts of the load and the delays in ms."""
        load = self.start(LoadRun(f"127.0.0.1:{self.intent.port}", rate, mix, idle_s=idle_s, connections=200))
        chooser = random.Random(7)
        delays = []
        for number in range(edits):
            in_effect = self.intent.edit(chooser.choice(kinds))
            began = time.monotonic()
            self.publish()
            waitFor(in_effect, f"edit {number} to take effect", 20)
            delays.append((time.monotonic() - began) * 1000)
        time.sleep(2 * idle_s)  # those that idle ask once more
        return load.finish(), sorted(delays)

    def test_no_correct_edit_loses_a_request(self):
        self.startAll()

        counts, delays = self.editUnderLoad(KINDS, EDITS, RATE)

        print(
            f"\nfigures: {EDITS} edits in effect (median {delays[len(delays) // 2]:.0f} ms, slowest {delays[-1]:.0f} ms), "
            f"{counts['requests']} requests, {counts['failed']} failed, slowest {counts['slowest_ms']:.0f} ms, {counts['kinds']}"
        )
        self.assertEqual(counts["failed"], 0, json.dumps({"failures": counts["failures"], "first": counts["details"][:8]}))
        self.assertGreater(counts["requests"], sum(delays) / 1000 * RATE * 0.5, "the load was not applied")

    def test_without_draining_the_same_load_reports_failures(self):
        self.startAll("--drain-time-s", "0")

        counts, _ = self.editUnderLoad(("listener",), 30, 300, mix="get=5,stream=5,idle=5", idle_s=0.5)

        self.assertGreater(counts["failed"], 0)


class Services:
    """What the folder says of services that proxies find by EDS: everything has a name that edits change.

    A service is a cluster, an assignment of another name, and for some a secret (they are reached over TLS). All
    services answer alike, so whichever of them a request goes to, it has to succeed.
    """

    TLS = config.TYPE + "envoy.extensions.transport_sockets.tls.v3."
    KINDS = ("rename", "rename all", "assignment", "split", "merge", "move", "add", "remove", "secret", "static")
    KINDS += ("table", "table and all")

    def __init__(self, port, source, plain, secure, authority):
        self.port, self.source, self.plain, self.secure, self.authority = port, source, plain, secure, authority
        self.number = 0  # of the last name that was given
        self.mark = 0  # answered as x-mark by the routes
        self.table = self.name("table")
        self.services = [self.service([plain[0]]), self.service([plain[1]]), self.service([secure], secret=True)]

    def name(self, kind):
        self.number += 1
        return f"{kind}-{self.number}"

    def service(self, ports, secret=False):
        return {
            "cluster": self.name("cluster"),
            "assignment": self.name("assignment"),
            "secret": self.name("secret") if secret else None,
            "ports": ports,
            "eds": True,
        }

    def document(self):
        share = 100 // len(self.services)
        weights = [{"name": service["cluster"], "weight": share} for service in self.services]
        weights[0]["weight"] += 100 - share * len(weights)
        table = config.routeConfig(
            self.table,
            [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": weights}, "timeout": "0s"}}],
            response_headers_to_add=[{"header": {"key": "x-mark", "value": str(self.mark)}}],
        )
        rds = {"route_config_name": self.table, "config_source": self.source}
        typed = [(LISTENER, httpListener("main", rds=rds, address=config.socketAddress(self.port))), (ROUTE, table)]
        for service in self.services:
            typed += self.resources(service)
        return json.dumps({"resources": [{"@type": type_url, **item} for type_url, item in typed]})

    def resources(self, service):
        cluster = {"name": service["cluster"], "connect_timeout": "2s"}
        assignment = config.loadAssignment(service["assignment" if service["eds"] else "cluster"], service["ports"])
        if service["eds"]:
            cluster["type"] = "EDS"
            cluster["eds_cluster_config"] = {"eds_config": self.source, "service_name": service["assignment"]}
            yield ENDPOINT, assignment
        else:
            cluster.update(type="STATIC", load_assignment=assignment)
        if service["secret"]:
            trusted = {"name": service["secret"], "sds_config": self.source}
            cluster["transport_socket"] = config.upstreamTls({"validation_context_sds_secret_config": trusted})
            authority = {"trusted_ca": {"inline_string": self.authority}}
            yield SECRET, {"name": service["secret"], "validation_context": authority}
        yield CLUSTER, cluster

    def edit(self, kind, chooser):
        """Changes what the folder says; the mark tells when the routes of the change are in effect."""
        self.mark += 1
        one = chooser.choice(self.services)
        if kind == "rename":
            one["cluster"] = self.name("cluster")
        elif kind in ("rename all", "table and all"):
            if kind == "table and all":
                self.table = self.name("table")
            for service in self.services:
                service.update(cluster=self.name("cluster"), assignment=self.name("assignment"))
                service["secret"] = service["secret"] and self.name("secret")
        elif kind == "assignment":
            one["assignment"] = self.name("assignment")
        elif kind == "split" and len(self.services) < 6:
            self.services.append(self.service(one["ports"], secret=bool(one["secret"])))
        elif kind == "merge" and len(self.services) > 3:
            plain = [service for service in self.services if not service["secret"]][:2]
            if len(plain) == 2:
                self.services = [service for service in self.services if service not in plain]
                self.services.insert(0, self.service(sorted({*plain[0]["ports"], *plain[1]["ports"]})))
        elif kind == "move" and not one["secret"]:
            one["ports"] = [self.plain[1 - self.plain.index(one["ports"][0])]]
        elif kind == "add" and len(self.services) < 6:
            self.services.append(self.service([chooser.choice(self.plain)]))
        elif kind == "remove" and len(self.services) > 2:
            self.services.remove(one)
        elif kind == "secret":
            one["secret"] = one["secret"] and self.name("secret")
        elif kind == "table":
            self.table = self.name("table")
        elif kind == "static":
            one["eds"] = not one["eds"]


class ServicesTest(SluiceTestCase):
    """Services that are found by EDS are renamed, split, merged, moved and removed under load."""

    def startAll(self, separate, delta):
        plain = [self.start(Origin(self.scratch, version)).port for version in ("v1", "v2")]
        authority = Authority(self.scratch.join("pki"))
        authority.issue("origin", "DNS:origin.example")
        # TLS in front of an origin: a proxy of ours whose configuration does not change.
        front = httpListener("tls", [route("origin", timeout="0s")])
        common = {"tls_certificates": [authority.files("origin")]}
        front["filter_chains"][0]["transport_socket"] = {
            "name": "tls",
            "typed_config": {"@type": Services.TLS + "DownstreamTlsContext", "common_tls_context": common},
        }
        secure = self.start(Sluice(self.scratch, bootstrap([front], [cluster("origin", plain[0])]))).port("tls")
        source = config.grpcSource("xds", delta) if separate else ADS
        self.services = Services(freePort(), source, plain, secure, contentOf(authority.cert("ca")))
        os.mkdir(self.scratch.join("config"))
        self.publish()
        control = self.start(Control(self.scratch, self.scratch.join("config")))
        text = config.xdsBootstrap(control.xds_port, delta)
        if separate:
            text["dynamic_resources"] = {"lds_config": source, "cds_config": source}
        self.start(Sluice(self.scratch, text, concurrency=2, wait=False))
        waitFor(lambda: get(self.services.port).status == 200, "the first answer", 20)

    def publish(self):
        path = self.scratch.write("next.json", self.services.document())
        os.rename(path, self.scratch.join("config/all.json"))

    def editUnderLoad(self, separate, delta):
        self.startAll(separate, delta)
        load = self.start(LoadRun(f"127.0.0.1:{self.services.port}", RATE, "get=95,post=5", connections=100))
        waitFor(lambda: load.report()["requests"] > 0, "the load")
        chooser = random.Random(7)
        # Each kind in turn, so that a short run has all of them; the order is another each time around.
        for number in range(SERVICE_EDITS):
            if number % len(Services.KINDS) == 0:
                kinds = chooser.sample(Services.KINDS, len(Services.KINDS))
            self.services.edit(kinds[number % len(kinds)], chooser)
            self.publish()
            mark = str(self.services.mark)
            waitFor(lambda: get(self.services.port).header("x-mark") == mark, f"{kinds[number % len(kinds)]}, edit {number}", 20)
        counts = load.finish()
        print(f"\nfigures: {SERVICE_EDITS} edits of services, {counts['requests']} requests, {counts['failed']} failed")
        self.assertEqual(counts["failed"], 0, json.dumps({"failures": counts["failures"], "first": counts["details"][:8]}))
        self.assertGreater(counts["requests"], 100, "the load was not applied")

    def test_no_edit_of_services_loses_a_request_over_one_stream(self):
        self.editUnderLoad(separate=False, delta=False)

    def test_no_edit_of_services_loses_a_request_over_one_delta_stream(self):
        self.editUnderLoad(separate=False, delta=True)

    def test_no_edit_of_services_loses_a_request_over_streams_of_single_types(self):
        self.editUnderLoad(separate=True, delta=False)

    def test_no_edit_of_services_loses_a_request_over_delta_streams_of_single_types(self):
        self.editUnderLoad(separate=True, delta=True)


if __name__ == "__main__":
    unittest.main()
