"""`sluice-control` against an xDS client in Python's gRPC, and `sluicectl` against both."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, AdsClient, DeltaAdsClient  # noqa: E402
from harness.sluice import runTool  # noqa: E402


def document(*typed, **more):
    """A file for the control plane: (type, resource) pairs."""
    return json.dumps({**more, "resources": [{"@type": type_url, **resource} for type_url, resource in typed]})


class ControlCase(SluiceTestCase):
    def serve(self, **files):
        os.mkdir(self.scratch.join("config"))
        for name, text in files.items():
            self.write(name, text)
        self.control = self.start(Control(self.scratch, self.scratch.join("config")))

    def write(self, name, text):
        self.scratch.write(f"config/{name}.json", text)

    def connect(self, **node):
        return self.start(AdsClient(self.control.xds_port, **node))

    def names(self, client, response):
        return sorted(getattr(resource, "name", "") or resource.cluster_name for resource in client.resources(response))

    def cli(self, *arguments):
        return runTool("sluicectl", *arguments, "--control", f"http://127.0.0.1:{self.control.http_port}")


class DiscoveryTest(ControlCase):
    def test_a_client_gets_what_the_folder_holds_and_then_each_change(self):
        self.serve(a=document((CLUSTER, cluster("one", 1))), b=document((CLUSTER, cluster("two", 2))))
        client = self.connect()

        client.send(CLUSTER)
        first = client.receive()
        client.acknowledge(first)
        self.write("b", document((CLUSTER, cluster("three", 3))))
        second = client.receive()

        self.assertEqual(self.names(client, first), ["one", "two"])
        self.assertEqual(self.names(client, second), ["one", "three"])
        self.assertNotEqual(first.version_info, second.version_info)

    def test_endpoints_are_answered_at_once_whatever_the_cluster_acknowledgement(self):
        self.serve(
            a=document(
                (CLUSTER, {"name": "up", "type": "EDS", "eds_cluster_config": {"eds_config": {"ads": {}, "resource_api_version": "V3"}}}),
                (ENDPOINT, config.loadAssignment("up", [1])),
            )
        )
        client = self.connect()
        client.send(CLUSTER)
        client.receive()

        client.send(ENDPOINT, ["up"])

        self.assertEqual(self.names(client, client.receive()), ["up"])

    def test_a_bad_change_keeps_the_last_good_snapshot_and_names_file_and_rule(self):
        self.serve(a=document((CLUSTER, cluster("one", 1))))
        self.write("a", document((CLUSTER, cluster("one", 1, connect_timeout="-3s"))))
        waitFor(lambda: "a.json" in self.control.log() and "connect_timeout" in self.control.log(), "the refusal in the log")
        client = self.connect()

        client.send(CLUSTER)

        self.assertEqual(self.names(client, client.receive()), ["one"])

    def test_the_same_name_twice_is_refused_with_both_files(self):
        self.serve(a=document((CLUSTER, cluster("one", 1))))

        self.write("b", document((CLUSTER, cluster("one", 2))))

        waitFor(lambda: "a.json" in self.control.log() and "b.json" in self.control.log(), "the refusal in the log")

    def test_a_file_with_nodes_goes_to_those_nodes_only(self):
        self.serve(
            a=document((CLUSTER, cluster("all", 1))),
            b=document((CLUSTER, cluster("canary", 2)), nodes=[{"id": "canary-*"}]),
        )
        canary, other = self.connect(node="canary-7"), self.connect(node="main-1")

        for client in (canary, other):
            client.send(CLUSTER)

        self.assertEqual(self.names(canary, canary.receive()), ["all", "canary"])
        self.assertEqual(self.names(other, other.receive()), ["all"])

    def test_versions_are_the_same_after_a_restart(self):
        self.serve(a=document((CLUSTER, cluster("one", 1))))
        versions = []
        for _ in range(2):
            client = self.connect()
            client.send(CLUSTER)
            versions.append(client.receive().version_info)
            self.control.kill()
            self.control = self.start(
                Control(self.scratch, self.control.folder, self.control.xds_port, self.control.http_port)
            )

        self.assertEqual(versions[0], versions[1])

    def test_a_refusal_of_a_client_is_shown_in_the_status(self):
        self.serve(a=document((CLUSTER, cluster("one", 1))))
        client = self.connect(node="unhappy")
        client.send(CLUSTER)
        response = client.receive()

        client.send(CLUSTER, version="", nonce=response.nonce, error="one: connect_timeout: no")

        waitFor(lambda: "one: connect_timeout: no" in json.dumps(self.control.status()), "the refusal in the status")
        self.assertIn("unhappy", json.dumps(self.control.status()))
        code, output = self.cli("status")
        self.assertEqual(code, 0, output)
        self.assertIn("unhappy", output)
        self.assertIn("connect_timeout", output)


class DeltaDiscoveryTest(ControlCase):
    def test_one_changed_cluster_of_a_thousand_sends_one(self):
        clusters = [cluster(f"c{number}", number + 1) for number in range(1000)]
        self.serve(a=document(*((CLUSTER, item) for item in clusters)))
        client = self.start(DeltaAdsClient(self.control.xds_port))
        client.subscribe(CLUSTER, "*")
        received = 0
        while received < 1000:
            response = client.receive()
            received += len(response.resources)
            client.acknowledge(response)

        clusters[500]["connect_timeout"] = "9s"
        del clusters[7]
        self.write("a", document(*((CLUSTER, item) for item in clusters)))
        changed, removed = [], []
        while not (changed and removed):
            response = client.receive()
            changed += [resource.name for resource in response.resources]
            removed += response.removed_resources
            client.acknowledge(response)

        self.assertEqual((received, changed, removed), (1000, ["c500"], ["c7"]))


class CommandTest(ControlCase):
    def test_validate_tells_good_from_bad(self):
        good = self.scratch.write("good.json", document((CLUSTER, cluster("one", 1))))
        bad = self.scratch.write("bad.json", document((CLUSTER, cluster("one", 1, connect_timeout="soon"))))

        self.assertEqual(runTool("sluicectl", "validate", good)[0], 0)
        code, output = runTool("sluicectl", "validate", bad)

        self.assertEqual(code, 1)
        self.assertIn("bad.json", output)
        self.assertIn("connect_timeout", output)

    def test_an_unreachable_control_plane_exits_3(self):
        code, output = runTool("sluicectl", "status", "--control", "http://127.0.0.1:1")

        self.assertEqual(code, 3, output)
        self.assertIn("127.0.0.1:1", output)

    def test_an_applied_file_is_served(self):
        self.serve(a=document((CLUSTER, cluster("one", 1))))
        path = self.scratch.write("more.json", document((CLUSTER, cluster("applied", 2))))

        code, output = self.cli("apply", path)

        self.assertEqual(code, 0, output)
        client = self.connect()

        def served():
            client.send(CLUSTER) if client.first else None
            return "applied" in self.names(client, client.receive())

        waitFor(served, "the applied cluster")

    def test_an_applied_file_with_an_error_is_refused_with_1_and_changes_nothing(self):
        self.serve(a=document((CLUSTER, cluster("one", 1))))
        before = sorted(os.listdir(self.control.folder))
        path = self.scratch.write("bad.json", document((CLUSTER, cluster("bad", 2, connect_timeout="-1s"))))

        code, output = self.cli("apply", path)

        self.assertEqual(code, 1, output)
        self.assertIn("connect_timeout", output)
        self.assertEqual(sorted(os.listdir(self.control.folder)), before)

    def test_get_lists_the_resources_of_a_type(self):
        self.serve(a=document((CLUSTER, cluster("one", 1)), (CLUSTER, cluster("two", 2))))

        code, output = self.cli("get", "clusters", "--json")

        self.assertEqual(code, 0, output)
        self.assertIn("one", json.dumps(json.loads(output)))

    def test_the_configuration_of_a_proxy_is_dumped(self):
        sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("http", [directResponse(200)])], [cluster("dumped", 1)])))
        host, port = sluice.adminTarget()

        code, output = runTool("sluicectl", "config-dump", "--admin", f"http://{host}:{port}", "--json")

        self.assertEqual(code, 0, output)
        self.assertIn("dumped", json.dumps(json.loads(output)))


if __name__ == "__main__":
    unittest.main()
