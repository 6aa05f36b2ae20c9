"""tools/check_build on a copy of what it reads, spoilt in one place."""
import os
import shutil
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUFFER = "source/extensions/filters/http/buffer"


class CheckBuild(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for folder in ("api", "source/extensions", "tools/bazel"):
            shutil.copytree(os.path.join(TOP, folder), os.path.join(self.root, folder))

    def run_tool(self, *arguments):
        command = [os.path.join(TOP, "tools/check_build"), "--root", self.root, *arguments]
        run = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(run.stderr, "")
        return run.returncode, run.stdout

    def read(self, path):
        with open(os.path.join(self.root, path)) as file:
            return file.read()

    def append(self, path, text):
        with open(os.path.join(self.root, path), "a") as file:
            file.write(text)

    def test_the_tree_is_as_it_says(self):
        self.assertEqual(self.run_tool()[0], 0, self.run_tool()[1])

    def test_a_new_import_becomes_a_dependency(self):
        folder = "api/envoy/extensions/filters/http/grpc_web/v3"
        self.append(f"{folder}/grpc_web.proto", 'import "envoy/type/v3/percent.proto";\n')
        code, output = self.run_tool()
        self.assertEqual(code, 1)
        self.assertIn(f"{folder}/BUILD.bazel: is not what the tree says", output)
        self.assertEqual(self.run_tool("--fix")[0], 0)
        self.assertIn('deps = ["//api/envoy/type/v3"]', self.read(f"{folder}/BUILD.bazel"))
        self.assertEqual(self.run_tool()[0], 0)

    def test_a_new_folder_of_messages_becomes_a_package(self):
        folder = "api/sluice/extensions/filters/http/sieve/v1"
        os.makedirs(os.path.join(self.root, folder))
        self.append(f"{folder}/sieve.proto", 'import "google/protobuf/any.proto";\nimport "validate/validate.proto";\n')
        self.assertIn(f"{folder}/BUILD.bazel", self.run_tool()[1])
        self.run_tool("--fix")
        self.assertIn('deps = ["//api/validate"]', self.read(f"{folder}/BUILD.bazel"))

    def test_a_new_extension_comes_into_the_table_and_one_that_is_gone_leaves_it(self):
        os.rename(os.path.join(self.root, BUFFER), os.path.join(self.root, BUFFER + "_two"))
        self.assertIn("source/extensions/extensions.bzl: is not", self.run_tool()[1])
        self.run_tool("--fix")
        table = self.read("source/extensions/extensions.bzl")
        self.assertIn('"filters/http/buffer_two",', table)
        self.assertNotIn('"filters/http/buffer",', table)

    def test_an_extension_without_an_example_is_an_error(self):
        os.remove(os.path.join(self.root, BUFFER, "example.yaml"))
        self.assertIn(f"{BUFFER}: has no example.yaml", self.run_tool()[1])

    def test_an_extension_in_the_folder_of_another_kind_is_an_error(self):
        folder = "source/extensions/filters/udp/buffer"
        os.rename(os.path.join(self.root, BUFFER), os.path.join(self.root, folder))
        self.assertIn(f"{folder}: a http_filter belongs below filters/http/", self.run_tool()[1])


if __name__ == "__main__":
    unittest.main()
