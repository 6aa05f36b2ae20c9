"""tools/new_extension makes one of each kind in a copy of the tree, and the checks of the tree find nothing wrong with it.

That they build and pass their tests is what `tools/new_extension --self-test` shows; it takes minutes."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tools"))
import extension_folders  # noqa: E402

KINDS = extension_folders.readKinds(TOP)


class NewExtension(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for folder in ("api", "source/extensions", "tools/bazel"):
            shutil.copytree(os.path.join(TOP, folder), os.path.join(self.root, folder))

    def run_tool(self, tool, *arguments):
        run = subprocess.run([os.path.join(TOP, "tools", tool), "--root", self.root, *arguments], capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def make(self, *arguments):
        code, output = self.run_tool("new_extension", *arguments)
        self.assertEqual(code, 0, output)

    def filesOf(self, folder):
        """name -> text"""
        texts = {}
        for name in os.listdir(os.path.join(self.root, folder)):
            with open(os.path.join(self.root, folder, name)) as file:
                texts[name] = file.read()
        return texts

    def test_one_of_each_kind_is_whole_registered_and_keeps_to_the_layers(self):
        for kind, row in KINDS.items():
            with self.subTest(kind=kind):
                self.make("--kind", kind, f"new_{kind}")
                files = self.filesOf(f"source/extensions/{row['folder']}/new_{kind}")
                for name in ("BUILD.bazel", "README.md", "example.yaml", "factory.cc", "factory.h"):
                    self.assertIn(name, files)
                self.assertTrue([name for name in files if name.endswith("_test.cc")], "it has no test")
                self.assertNotIn("@", "".join(text for name, text in files.items() if name != "example.yaml"))
                self.assertIn(f'kind = "{kind}"', files["BUILD.bazel"])
                own = f'#include "source/extensions/{row["folder"]}/new_{kind}/'
                for line in "".join(files.values()).splitlines():
                    if line.startswith(own):
                        self.assertIn(line[len(own) : -1], files)
                made = [extension.path for extension in extension_folders.readExtensions(self.root)]
                self.assertIn(f"{row['folder']}/new_{kind}", made)
        for tool in ("check_layers", "check_build"):
            code, output = self.run_tool(tool)
            self.assertEqual(code, 0, output)

    def test_what_is_there_already_stays(self):
        code, output = self.run_tool("new_extension", "--kind", "http_filter", "buffer")
        self.assertNotEqual(code, 0)
        self.assertIn("is there already", output)

    def test_a_message_that_api_has_is_taken_and_another_one_is_declared(self):
        buffer = "envoy.extensions.filters.http.buffer.v3.Buffer"
        self.make("--kind", "http_filter", "--proto", buffer, "sieve")
        files = self.filesOf("source/extensions/filters/http/sieve")
        self.assertIn('"envoy/extensions/filters/http/buffer/v3/buffer.pb.h"', files["factory.cc"])
        self.assertFalse(os.path.exists(os.path.join(self.root, "api/sluice/extensions/filters/http/sieve")))

        self.make("--kind", "http_filter", "--proto", "envoy.extensions.filters.http.nowhere.v3.Nowhere", "nowhere")
        proto = self.filesOf("api/envoy/extensions/filters/http/nowhere/v3")
        self.assertIn("message Nowhere {}", proto["nowhere.proto"])
        self.assertIn("sluice_proto_package()", proto["BUILD.bazel"])

    def test_beside_the_folder_and_its_message_one_line_changes(self):
        before = self.treeOf()
        self.make("--kind", "access_logger", "sieve")
        changed = {path for path, text in self.treeOf().items() if before.get(path) != text}
        own = ("source/extensions/access_loggers/sieve/", "api/sluice/extensions/access_loggers/sieve/")
        self.assertEqual({path for path in changed if not path.startswith(own)}, {"source/extensions/extensions.bzl"})

    def treeOf(self):
        texts = {}
        for folder, _, files in os.walk(self.root):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    texts[os.path.relpath(os.path.join(folder, name), self.root)] = file.read()
        return texts

    def test_a_name_that_is_none_is_refused(self):
        for name in ("Sieve", "sieve-two", "sieve__two", "2sieve"):
            with self.subTest(name=name):
                self.assertNotEqual(self.run_tool("new_extension", "--kind", "http_filter", name)[0], 0)


if __name__ == "__main__":
    unittest.main()
