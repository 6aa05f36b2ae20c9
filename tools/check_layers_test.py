"""tools/check_layers against small trees made for the purpose."""
import os
import subprocess
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_layers")


class CheckLayersTest(unittest.TestCase):
    def check(self, files):
        """Runs the tool on a tree of {path: text}; returns (exit code, output)."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w") as file:
                    file.write(text)
            run = subprocess.run([TOOL, "--root", root], capture_output=True, text=True)
            return run.returncode, run.stdout + run.stderr

    def assertRefused(self, files, *expected):
        code, output = self.check(files)
        self.assertEqual(code, 1, output)
        for part in expected:
            self.assertIn(part, output)

    def assertAccepted(self, files):
        code, output = self.check(files)
        self.assertEqual(code, 0, output)

    def test_an_include_against_the_layers_is_told_with_file_line_edge_and_reason(self):
        self.assertRefused(
            {"source/buffer/slice.h": '#pragma once\n\n#include "source/net/address.h"\n'},
            "source/buffer/slice.h:3: buffer -> source/net/address.h: buffer is built on",
        )

    def test_an_include_of_what_a_lower_layer_is_built_on_is_accepted(self):
        self.assertAccepted({"source/session/connection.h": '#include "source/http/headers.h"\n#include "source/base/arena.h"\n'})

    def test_every_error_of_a_tree_is_told(self):
        self.assertRefused(
            {
                "source/net/a.cc": '#include "source/http/headers.h"\n',
                "source/http/b.cc": '#include "source/http/h1/codec.h"\n',
            },
            "source/net/a.cc:1",
            "source/http/b.cc:1",
        )

    def test_a_test_file_keeps_to_the_layers_of_its_folder(self):
        self.assertRefused({"source/net/a_test.cc": '#include "source/http/headers.h"\n'}, "source/net/a_test.cc:1")

    def test_only_a_test_file_includes_test_support(self):
        self.assertAccepted({"source/net/a_test.cc": '#include "test/support/clock.h"\n'})
        self.assertRefused({"source/net/a.cc": '#include "test/support/clock.h"\n'}, "only tests")

    def test_protobuf_stops_at_config_and_factories(self):
        include = '#include "envoy/config/route/v3/route.pb.h"\n'
        self.assertRefused({"source/route/table.h": include}, "protobuf types stop at")
        self.assertRefused({"source/extensions/filters/http/buffer/filter.h": include}, "protobuf types stop at")
        self.assertAccepted(
            {
                "source/config/route_compiler.cc": include,
                "source/extensions/filters/http/buffer/factory.cc": include,
                "source/extensions/filters/network/http_connection_manager/factory.cc": include,
            }
        )

    def test_no_extension_includes_another(self):
        path = "source/extensions/filters/http/buffer/filter.cc"
        self.assertRefused({path: '#include "source/extensions/filters/http/ext_authz/filter.h"\n'}, "no extension includes")
        self.assertAccepted({path: '#include "source/extensions/filters/http/buffer/filter.h"\n'})

    def test_only_the_connection_manager_extension_sees_sessions(self):
        include = '#include "source/session/connection.h"\n'
        self.assertAccepted({"source/extensions/filters/network/http_connection_manager/filter.cc": include})
        self.assertRefused({"source/extensions/filters/http/buffer/filter.cc": include}, "extensions -> source/session")

    def test_a_wrapped_library_is_used_by_its_wrapper_only(self):
        self.assertAccepted({"source/event/loop.cc": "#include <event2/event.h>\n"})
        self.assertRefused({"source/net/connection.cc": "#include <event2/event.h>\n"}, "only user of libevent")

    def test_a_folder_that_the_table_does_not_have_is_an_error(self):
        self.assertRefused({"source/misc/x.cc": '#include "source/base/arena.h"\n'}, "not in the table")

    def test_the_mains_see_everything(self):
        self.assertAccepted(
            {
                "source/server/main.cc": '#include "source/extensions/all.h"\n#include "source/router/router.h"\n',
                "source/control_plane/main.cc": '#include "source/extensions/all.h"\n',
                "source/ctl/main.cc": '#include "source/config/loader.h"\n',
            }
        )


if __name__ == "__main__":
    unittest.main()
