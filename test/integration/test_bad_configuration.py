"""Wrong at every level: flags, syntax, fields, values, references, files that are not there."""
import json
import os
import re
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.sluice import runTool  # noqa: E402

CORPUS = os.path.join(TOP, "test/conformance")


def good():
    return bootstrap([httpListener("http", [route("up")])], [cluster("up", 1)])


def listener(text):
    return text["static_resources"]["listeners"][0]


def manager(text):
    return listener(text)["filter_chains"][0]["filters"][0]["typed_config"]


class ValidateTest(SluiceTestCase):
    def validate(self, text, suffix="yaml", *more):
        text = text if isinstance(text, str) else json.dumps(text, indent=1)
        path = self.scratch.write(f"config.{suffix}", text)
        code, output = runTool("sluice", "-c", path, "--mode", "validate", *more)
        return code, output, path

    def test_a_good_file_is_said_to_be_ok(self):
        for suffix in ("yaml", "json"):
            code, output, path = self.validate(good(), suffix)

            self.assertEqual((code, f"configuration '{path}' OK" in output), (0, True), output)

    def test_protobuf_text_is_a_bootstrap_too(self):
        text = 'static_resources {\n  clusters { name: "a" connect_timeout { seconds: 1 } %s }\n}\n'

        code, output, path = self.validate(text % "", "pb_text")
        self.assertEqual((code, f"configuration '{path}' OK" in output), (0, True), output)
        code, output, path = self.validate(text % "alt_stat_nam: 3", "pb_text")
        self.assertEqual(code, 1)
        self.assertIn(f"{os.path.basename(path)}:2:", output)
        self.assertIn("alt_stat_nam", output)

    def test_an_unknown_field_is_told_with_place_and_nearest_name(self):
        code, output, path = self.validate("admin:\n  address: {socket_address: {address: 127.0.0.1, port_valu: 0}}\n")

        self.assertEqual(code, 1)
        self.assertIn(f"{os.path.basename(path)}:2:", output)
        self.assertIn("port_valu", output)
        self.assertIn("port_value", output.replace("port_valu:", ""))

    def test_all_errors_of_a_file_are_told_at_once(self):
        text = good()
        text["nonsense"] = 1
        listener(text)["adress"] = {}
        text["static_resources"]["clusters"][0]["connect_timeout"] = "soon"

        code, output, _ = self.validate(text)

        self.assertEqual(code, 1)
        for name in ("nonsense", "adress", "connect_timeout"):
            self.assertIn(name, output)

    def test_wrong_values_and_references_are_refused_by_name(self):
        def change(name, expected, edit):
            text = good()
            edit(text)
            code, output, _ = self.validate(text)
            with self.subTest(name):
                self.assertEqual(code, 1, output)
                for part in expected:
                    self.assertIn(part, output)

        routes = lambda text: manager(text)["route_config"]["virtual_hosts"][0]["routes"]  # noqa: E731
        change("unknown cluster", ["nowhere"], lambda text: routes(text)[0]["route"].update(cluster="nowhere"))
        change("a port too large", ["port_value"], lambda text: listener(text)["address"]["socket_address"].update(port_value=70000))
        change("a bad regex", ["regex"], lambda text: routes(text)[0].update(match={"safe_regex": {"regex": "a("}}))
        change("no virtual host name", ["name"], lambda text: manager(text)["route_config"]["virtual_hosts"][0].update(name=""))
        change("a domain twice", ["*"], lambda text: manager(text)["route_config"]["virtual_hosts"].append(
            {"name": "again", "domains": ["*"], "routes": []}))
        change("no terminal filter", ["router"], lambda text: manager(text).update(http_filters=[]))
        change("an extension that is not there", ["filters.http.kill_request"], lambda text: manager(text)["http_filters"].insert(
            0, {"name": "envoy.filters.http.kill_request", "typed_config": {"@type": config.TYPE + "envoy.extensions.filters.http.kill_request.v3.KillRequest"}}))
        change("the same cluster twice", ["up"], lambda text: text["static_resources"]["clusters"].append(cluster("up", 2)))
        change("a duration that is none", ["timeout"], lambda text: routes(text)[0]["route"].update(timeout="5 seconds"))
        change("an enum that is none", ["lb_policy"], lambda text: text["static_resources"]["clusters"][0].update(lb_policy="BEST"))

    def test_text_that_is_no_yaml_is_told_with_its_line(self):
        code, output, path = self.validate("admin:\n  address: [1, 2\nnode: {\n")

        self.assertEqual(code, 1)
        self.assertIn(os.path.basename(path) + ":", output)

    def test_a_file_that_is_not_there_is_told_by_name(self):
        code, output = runTool("sluice", "-c", "/nonexistent/x.yaml", "--mode", "validate")

        self.assertEqual(code, 1)
        self.assertIn("/nonexistent/x.yaml", output)

    def test_validate_opens_no_port(self):
        with RawUpstreamPort() as port:
            text = bootstrap([httpListener("http", [directResponse(200)], address=config.socketAddress(port))], [])

            self.assertEqual(self.validate(text)[0], 0)

    def corpus(self, folder):
        folder = os.path.join(CORPUS, folder)
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith((".yaml", ".json", ".pb"))]

    def test_every_file_of_the_good_corpus_is_accepted(self):
        for path in self.corpus("good"):
            with self.subTest(os.path.basename(path)):
                code, output = runTool("sluice", "-c", path, "--mode", "validate")
                self.assertEqual(code, 0, output)

    def test_a_broken_file_is_refused_by_validate_and_by_serve_with_the_same_words(self):
        paths = self.corpus("broken")
        self.assertGreaterEqual(len(paths), 200)

        def outcome(path):
            checked = runTool("sluice", "-c", path, "--mode", "validate")
            try:
                served = runTool("sluice", "-c", path, "--concurrency", "1", timeout=10)
            except subprocess.TimeoutExpired:
                served = (0, "it serves")
            return path, checked, served

        with ThreadPoolExecutor(2) as pool:
            for path, checked, served in pool.map(outcome, paths):
                with self.subTest(os.path.basename(path)):
                    with open(path) as file:
                        expected = re.search(r"^# expect: *(.*?) *$", file.read(), re.M)
                    self.assertEqual(checked[0], 1, f"validate accepts it: {checked[1]}")
                    self.assertEqual(served[0], 1, f"serve accepts it: {served[1]}")
                    for part in [expected.group(1)] if expected else []:
                        self.assertIn(part, checked[1])
                        self.assertIn(part, served[1])


class RawUpstreamPort:
    """A port with a listener on it."""

    def __enter__(self):
        self.upstream = RawUpstream(lambda sock, number: None)
        return self.upstream.port

    def __exit__(self, *error):
        self.upstream.stop()


class CommandLineTest(SluiceTestCase):
    def test_bad_flags_exit_2_with_a_message(self):
        for flags in (["--nonsense"], ["--mode", "sing"], ["--concurrency", "many"], ["-c"], ["--log-level", "loud"]):
            for name in ("sluice",):
                with self.subTest(flags=flags):
                    code, output = runTool(name, *flags)
                    self.assertEqual(code, 2, output)
                    self.assertTrue(output.strip())

    def test_no_configuration_is_an_error_and_not_a_silent_server(self):
        code, output = runTool("sluice", timeout=10)

        self.assertIn(code, (1, 2))
        self.assertIn("-c", output)

    def test_version_and_help_exit_0(self):
        for name in ("sluice", "sluice-control", "sluicectl"):
            for flag in ("--version", "--help"):
                with self.subTest(program=name, flag=flag):
                    code, output = runTool(name, flag)
                    self.assertEqual(code, 0, output)
                    self.assertTrue(output.strip())

    def test_the_other_programs_refuse_bad_flags_with_2(self):
        for name in ("sluice-control", "sluicectl"):
            with self.subTest(program=name):
                self.assertEqual(runTool(name, "--nonsense")[0], 2)


if __name__ == "__main__":
    unittest.main()
