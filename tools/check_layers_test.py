"""tools/check_layers against small trees made for the purpose."""
import os
import subprocess
import tempfile
import unittest
from importlib import machinery, util

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOL = os.path.join(TOP, "tools/check_layers")
HTTP = "extensions/filters/http"


def extension(path, kind, **arguments):
    """The BUILD file of an extension, in a dictionary of files."""
    arguments = "".join(f", {name} = {value!r}" for name, value in arguments.items())
    return {f"source/{path}/BUILD.bazel": f"sluice_extension(kind = {kind!r}, configs = []{arguments})\n"}


BUFFER = extension(f"{HTTP}/buffer", "http_filter")


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

    def test_every_row_of_the_table_has_a_folder(self):
        loader = machinery.SourceFileLoader("check_layers", TOOL)
        tool = util.module_from_spec(util.spec_from_loader("check_layers", loader))
        loader.exec_module(tool)
        missing = [row for row in tool.LAYERS if not os.path.isdir(os.path.join(TOP, "source", row))]
        self.assertEqual(missing, ["control_plane/main"])  # files of a folder

    def test_protobuf_stops_at_config_and_factories(self):
        include = '#include "envoy/config/route/v3/route.pb.h"\n'
        self.assertRefused({"source/route/table.h": include}, "protobuf types stop at")
        self.assertRefused({**BUFFER, f"source/{HTTP}/buffer/filter.h": include}, "protobuf types stop at")
        self.assertRefused({**BUFFER, f"source/{HTTP}/buffer/client.cc": include}, "protobuf types stop at")
        self.assertAccepted(
            {
                **BUFFER,
                "source/config/route_compiler.cc": include,
                f"source/{HTTP}/buffer/factory.cc": include,
                f"source/{HTTP}/buffer/filter_test.cc": include,
            }
        )

    def test_messages_of_a_named_service_may_stand_in_sources_but_in_no_header(self):
        folder = extension(f"{HTTP}/authz", "http_filter", services=["//api/envoy/service/auth/v3"])
        include = '#include "envoy/service/auth/v3/external_auth.pb.h"\n'
        self.assertAccepted({**folder, f"source/{HTTP}/authz/asker.cc": include})
        self.assertRefused({**folder, f"source/{HTTP}/authz/asker.h": include}, "protobuf types stop at")
        other = '#include "envoy/service/ratelimit/v3/rls.pb.h"\n'
        self.assertRefused({**folder, f"source/{HTTP}/authz/asker.cc": other}, "`services`")

    def test_no_extension_includes_another(self):
        path = f"source/{HTTP}/buffer/filter.cc"
        self.assertRefused({**BUFFER, path: f'#include "source/{HTTP}/ext_authz/filter.h"\n'}, "no extension includes")
        self.assertRefused({**BUFFER, path: '#include "source/extensions/all.h"\n'}, "no extension includes")
        self.assertAccepted({**BUFFER, path: f'#include "source/{HTTP}/buffer/filter.h"\n'})

    def test_an_extension_includes_what_its_kind_may_if_it_says_so(self):
        path = "extensions/filters/network/manager"
        include = '#include "source/session/connection.h"\n'
        self.assertAccepted({**extension(path, "network_filter", uses=["session"]), f"source/{path}/filter.cc": include})
        self.assertRefused(
            {**extension(path, "network_filter"), f"source/{path}/filter.cc": include},
            "extensions -> source/session",
            "may say that it uses session",
        )
        self.assertRefused({**BUFFER, f"source/{HTTP}/buffer/filter.cc": include}, "may say that it uses cache, compression, geoip, jwt, transcoding, upstream")
        path = "extensions/retry/host/other"
        self.assertRefused({**extension(path, "retry_host_predicate"), f"source/{path}/predicate.cc": include}, "uses nothing else")

    def test_configuration_is_seen_by_the_factory_only(self):
        include = '#include "source/config/errors.h"\n'
        self.assertAccepted({**BUFFER, f"source/{HTTP}/buffer/factory.cc": include})
        self.assertRefused({**BUFFER, f"source/{HTTP}/buffer/filter.cc": include}, "extensions -> source/config")

    def test_a_folder_of_an_extension_without_a_kind_is_an_error(self):
        include = '#include "source/filter/stream.h"\n'
        self.assertRefused({f"source/{HTTP}/x/filter.cc": include}, "names no kind")
        self.assertRefused({**extension(f"{HTTP}/x", "sieve"), f"source/{HTTP}/x/filter.cc": include}, "names no kind")

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
