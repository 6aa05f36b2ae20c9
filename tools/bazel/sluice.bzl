"""Rules of this repository: libraries, unit tests, fuzz targets and protos."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

BORINGSSL_COPTS = ["-isystem/usr/include/android"]

def sluice_library(name, **kwargs):
    """One folder of source/: a static library. Its includes are written from the repository's root."""
    cc_library(name = name, linkstatic = True, **kwargs)

def sluice_test(name, deps = [], tags = [], **kwargs):
    """The unit tests of one folder: one binary with the shared Catch2 main."""
    cc_test(
        name = name,
        deps = deps + ["//tools/bazel:catch2_main"],
        linkstatic = True,
        tags = tags + ["unit"],
        **kwargs
    )

def sluice_extension(deps, factory_deps = [], test_deps = []):
    """The folder of an extension: the library of its factory under the folder's name, which alone knows configuration
    messages of the proxy; `filter` with everything else; the tests of both; its example.

    Args:
      deps: of the filter and of what stands beside it.
      factory_deps: of factory.cc, beside messages, the registry and the filter.
      test_deps: of *_test.cc, beside the filter.
    """
    tests = native.glob(["*_test.cc"])
    sluice_library(
        name = "filter",
        srcs = native.glob(["*.cc"], exclude = tests + ["factory.cc", "*_fuzz.cc"]),
        hdrs = native.glob(["*.h"], exclude = ["factory.h"]),
        deps = deps,
        visibility = ["//visibility:public"],
    )
    sluice_library(
        name = native.package_name().split("/")[-1],
        srcs = ["factory.cc"],
        hdrs = ["factory.h"],
        deps = [":filter", "//api", "//source/config:extensions"] + factory_deps,
        visibility = ["//visibility:public"],
    )
    if tests:
        sluice_test(name = "filter_test", srcs = tests, deps = [":filter"] + test_deps)
    native.exports_files(["example.yaml"])

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

def _proto_sources_impl(ctx):
    root = ctx.label.package + "/" if ctx.label.package else ""
    out_dir = ctx.bin_dir.path + "/" + ctx.label.package
    outputs = []
    grpc_sources = []
    for src in ctx.files.srcs:
        stem = src.path[len(root):-len(".proto")]
        outputs += [ctx.actions.declare_file(stem + ".pb.h"), ctx.actions.declare_file(stem + ".pb.cc")]
        if stem in ctx.attr.services:
            grpc_sources.append(src)
    ctx.actions.run(
        executable = "/usr/bin/protoc",
        arguments = ["-I" + ctx.label.package, "-I/usr/include", "--cpp_out=" + out_dir] + [f.path for f in ctx.files.srcs],
        inputs = ctx.files.srcs,
        outputs = outputs,
        mnemonic = "Protoc",
    )
    if grpc_sources:
        grpc_outputs = []
        for src in grpc_sources:
            stem = src.path[len(root):-len(".proto")]
            grpc_outputs += [ctx.actions.declare_file(stem + ".grpc.pb.h"), ctx.actions.declare_file(stem + ".grpc.pb.cc")]
        ctx.actions.run(
            executable = "/usr/bin/protoc",
            arguments = [
                "-I" + ctx.label.package,
                "-I/usr/include",
                "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin",
                "--grpc_out=" + out_dir,
            ] + [f.path for f in grpc_sources],
            inputs = ctx.files.srcs,
            outputs = grpc_outputs,
            mnemonic = "ProtocGrpc",
        )
        outputs += grpc_outputs
    grpc = [f for f in outputs if ".grpc.pb." in f.basename]
    plain = [f for f in outputs if ".grpc.pb." not in f.basename]
    return [
        DefaultInfo(files = depset(outputs)),
        OutputGroupInfo(grpc = depset(grpc), plain = depset(plain)),
    ]

_proto_sources = rule(
    implementation = _proto_sources_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".proto"]),
        "services": attr.string_list(doc = "stems of the files whose services get gRPC code"),
    },
)

def sluice_proto_library(name, srcs, services = []):
    """C++ of a folder of protos: `name` holds the messages, `name`_grpc the services."""
    _proto_sources(name = name + "_sources", srcs = srcs, services = services)
    for group in ["plain", "grpc"]:
        native.filegroup(name = name + "_" + group + "_files", srcs = [":" + name + "_sources"], output_group = group)
    cc_library(
        name = name,
        srcs = [":" + name + "_plain_files"],
        includes = ["."],
        linkstatic = True,
        alwayslink = True,  # every declared type is in the descriptor pool, by which Any and JSON find it
        deps = ["//tools/bazel:protobuf"],
        visibility = ["//visibility:public"],
    )
    cc_library(
        name = name + "_grpc",
        srcs = [":" + name + "_grpc_files"],
        includes = ["."],
        linkstatic = True,
        deps = [":" + name, "//tools/bazel:grpc"],
        visibility = ["//visibility:public"],
    )
