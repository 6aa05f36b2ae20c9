"""C++ of the messages in api/: one library a package, so that a change of one rebuilds what uses it."""

load("@rules_cc//cc:defs.bzl", "cc_library")
load(":precompiled.bzl", "precompiled_copts", "precompiled_deps")

# The folder from which imports and includes are written.
_ROOT = "api"

_ProtoFiles = provider(doc = "Sources of a package and of what it imports.", fields = ["transitive"])

def _proto_sources_impl(ctx):
    stems = [f.path[len(ctx.label.package) + 1:-len(".proto")] for f in ctx.files.srcs]
    transitive = depset(ctx.files.srcs, transitive = [dep[_ProtoFiles].transitive for dep in ctx.attr.deps])
    arguments = ["-I" + _ROOT, "-I/usr/include"] + [f.path for f in ctx.files.srcs]
    out = ctx.bin_dir.path + "/" + _ROOT
    messages = _declare(ctx, stems, [".pb.h", ".pb.cc"])
    ctx.actions.run_shell(
        # `requires`, the name of a field, is a word of C++20, which Debian's protoc does not know. Later ones append "_",
        # too. What stands in quotes is not code.
        command = "/usr/bin/protoc \"$@\" && sed -i '/\"/!s/\\brequires\\b/requires_/g' " +
                  " ".join([f.path for f in messages]),
        arguments = ["--cpp_out=" + out] + arguments,
        inputs = transitive,
        outputs = messages,
        mnemonic = "Protoc",
    )
    services = _declare(ctx, stems, [".grpc.pb.h", ".grpc.pb.cc"])
    ctx.actions.run(
        executable = "/usr/bin/protoc",
        arguments = ["--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin", "--grpc_out=" + out] + arguments,
        inputs = transitive,
        outputs = services,
        mnemonic = "ProtocGrpc",
    )
    return [
        DefaultInfo(files = depset(messages)),
        OutputGroupInfo(grpc = depset(services)),
        _ProtoFiles(transitive = transitive),
    ]

def _declare(ctx, stems, endings):
    return [ctx.actions.declare_file(stem + ending) for stem in stems for ending in endings]

_proto_sources = rule(
    implementation = _proto_sources_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".proto"]),
        "deps": attr.label_list(providers = [_ProtoFiles]),
    },
)

def sluice_proto_package(deps = []):
    """The .proto files of a folder of api/: its messages under the folder's name, and `grpc`, its services' gRPC code.

    Args:
      deps: packages that the files import, except google/protobuf. tools/check_build --fix writes them.
    """
    name = native.package_name().split("/")[-1]
    _proto_sources(
        name = "sources",
        srcs = native.glob(["*.proto"]),
        deps = [dep + ":sources" for dep in deps],
        visibility = ["//visibility:public"],
    )
    cc_library(
        name = name,
        srcs = [":sources"],
        linkstatic = True,
        alwayslink = True,  # every declared type is in the descriptor pool, by which Any and JSON find it
        copts = precompiled_copts("precompiled_messages"),
        deps = deps + ["//%s:include_root" % _ROOT, "//tools/bazel:protobuf"] + precompiled_deps("precompiled_messages"),
        visibility = ["//visibility:public"],
    )
    native.filegroup(name = "grpc_sources", srcs = [":sources"], output_group = "grpc", tags = ["manual"])
    cc_library(
        name = "grpc",
        srcs = [":grpc_sources"],
        linkstatic = True,
        tags = ["manual"],  # built where it is used
        deps = [":" + name, "//tools/bazel:grpc"],
        visibility = ["//visibility:public"],
    )
