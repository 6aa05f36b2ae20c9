"""A precompiled header: most of a compilation is reading the same headers of libraries again."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

# Times of files differ from machine to machine, and results are shared.
_NO_TIMES = ["-Xclang", "-fno-pch-timestamp"]

# Tests are most of what is compiled. That they themselves are optimised, and tell fuzz targets what they reach, would double it.
TEST_FLAGS = [
    "-O0",
    "-fpch-instantiate-templates",
    "-fno-sanitize-coverage=edge,indirect-calls,inline-8bit-counters,pc-table,stack-depth,trace-cmp,trace-div,trace-gep",
]

# What runs when configuration is read, compiled, pushed or shown: much code, large and never hot. Optimising it is half of its compilation.
SELDOM_RUN_FLAGS = [
    "-O0",
    "-fpch-instantiate-templates",
]

def precompiled_copts(name, compiler_flags = []):
    """For a rule that has `precompiled_deps(name)` among its dependencies; with the flags of that header."""
    return select({
        "//tools/bazel:fuzzing": compiler_flags + ["-include", "$(BINDIR)/tools/bazel/%s.h" % name],
        "//conditions:default": [],
    })

def precompiled_deps(name):
    return select({
        "//tools/bazel:fuzzing": ["//tools/bazel:" + name],
        "//conditions:default": [],
    })

def _precompiled_header_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts,
        use_pic = True,
    )
    flags = cc_common.get_memory_inefficient_command_line(
        feature_configuration = features,
        action_name = ACTION_NAMES.cpp_compile,
        variables = variables,
    )

    # Compilers look for NAME.gch where NAME is included by -include. The text comes by a pipe, so that no path of a
    # sandbox is kept.
    header = ctx.actions.declare_file(ctx.label.name + ".h")
    precompiled = ctx.actions.declare_file(ctx.label.name + ".h.gch")
    ctx.actions.write(header, "".join(["#include <%s>\n" % name for name in ctx.attr.headers]))
    ctx.actions.run_shell(
        command = 'source="$1"; shift; exec "$@" < "$source"',
        arguments = [
            header.path,
            cc_common.get_tool_for_action(feature_configuration = features, action_name = ACTION_NAMES.cpp_compile),
        ] + flags + ctx.attr.compiler_flags + _NO_TIMES + ["-x", "c++-header", "-", "-o", precompiled.path],
        inputs = depset([header], transitive = [toolchain.all_files]),
        outputs = [precompiled],
        env = cc_common.get_environment_variables(
            feature_configuration = features,
            action_name = ACTION_NAMES.cpp_compile,
            variables = variables,
        ),
        mnemonic = "CppPrecompile",
    )
    files = depset([header, precompiled])
    return [
        DefaultInfo(files = files),
        CcInfo(compilation_context = cc_common.create_compilation_context(headers = files)),
    ]

_precompiled_header = rule(
    implementation = _precompiled_header_impl,
    attrs = {
        "headers": attr.string_list(doc = "of libraries that are outside of the tree"),
        "compiler_flags": attr.string_list(),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    fragments = ["cpp"],
)

def precompiled_header(name, **kwargs):
    """NAME.h with what a compiler made of it. Built where it is used."""
    _precompiled_header(name = name, tags = ["manual"], **kwargs)
