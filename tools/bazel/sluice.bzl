"""Rules of this repository: libraries, unit tests and fuzz targets. Extensions: extension.bzl; messages: proto.bzl."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")
load(":precompiled.bzl", "SELDOM_RUN_FLAGS", "TEST_FLAGS", "precompiled_copts", "precompiled_deps")

BORINGSSL_COPTS = ["-isystem/usr/include/android"]

# Folders of code that no request passes.
_SELDOM_RUN = [
    "source/admin",
    "source/config",
    "source/control_plane",
    "source/ctl",
    "source/server",
    "source/xds",
]

def sluice_library(name, deps = [], copts = [], seldom_run = False, **kwargs):
    """One folder of source/: a static library. Its includes are written from the repository's root.

    Args:
      seldom_run: no request passes it, so it is not optimised under the sanitizers. Folders of _SELDOM_RUN need not say it.
    """
    package = native.package_name()
    if seldom_run or [folder for folder in _SELDOM_RUN if package == folder or package.startswith(folder + "/")]:
        precompiled, flags = "precompiled_seldom_run", SELDOM_RUN_FLAGS
    else:
        precompiled, flags = "precompiled", []
    cc_library(
        name = name,
        copts = copts + precompiled_copts(precompiled, flags),
        deps = deps + precompiled_deps(precompiled),
        linkstatic = True,
        **kwargs
    )

def sluice_test(name, deps = [], tags = [], optimized = False, **kwargs):
    """The unit tests of one folder: one binary with the shared Catch2 main.

    Args:
      optimized: for those that pass most of their time in code of their own.
    """
    precompiled, flags = ("precompiled", []) if optimized else ("precompiled_tests", TEST_FLAGS)
    cc_test(
        name = name,
        copts = precompiled_copts(precompiled, flags),
        deps = deps + ["//tools/bazel:catch2_main"] + precompiled_deps(precompiled),
        linkstatic = True,
        tags = tags + ["unit"],
        **kwargs
    )

def sluice_fuzz_test(name, srcs, corpus, deps = [], **kwargs):
    """A libFuzzer target. Without --config=fuzz it is a test that runs the corpus once."""
    cc_test(
        name = name,
        srcs = srcs,
        data = corpus,
        args = select({
            "//tools/bazel:fuzzing": ["-runs=0"],
            "//conditions:default": [],
        }) + ["$(location %s)" % seed for seed in corpus],
        linkopts = select({
            "//tools/bazel:fuzzing": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps + select({
            "//tools/bazel:fuzzing": [],
            "//conditions:default": ["//tools/bazel:fuzz_main"],
        }),
        linkstatic = True,
        tags = ["fuzz"],
        **kwargs
    )

def _linked_impl(ctx):
    return [CcInfo(linking_context = ctx.attr.library[CcInfo].linking_context)]

sluice_linked = rule(
    doc = "A library to be linked by what sees none of its headers, and so is not compiled again when one changes.",
    implementation = _linked_impl,
    attrs = {"library": attr.label(providers = [CcInfo])},
)
