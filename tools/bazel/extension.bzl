"""The folder of an extension, and the table of all of them."""

load(":kinds.bzl", "KINDS")
load(":sluice.bzl", "sluice_fuzz_test", "sluice_library", "sluice_linked", "sluice_test")

def sluice_extension(kind, configs, services = [], uses = [], deps = [], factory_deps = [], test_deps = [], copts = []):
    """The targets of an extension's folder NAME.

    `NAME` is the library of its factory (factory.h, factory.cc; factory_*.h, factory_*.cc where it is large), which
    alone knows configuration messages; `lib` is everything else; `NAME_test` are the tests of both, with the factory linked, so that they may compile configuration
    as text. Each *_fuzz.cc is a fuzz target with the seeds of corpus/, of `corpus/x/` for x_fuzz.cc. example.yaml is
    compiled by //source/extensions:all_test. Files of testdata/ are there for tests and for examples.

    Args:
      kind: a key of KINDS.
      configs: packages of api/ with the messages that configure it.
      services: packages of api/ with messages of a service that it talks to; its .cc files may include them.
      uses: folders of source/ that it needs besides those of every extension of its kind; KINDS says which it may.
      deps: of everything but the factory.
      factory_deps: of factory.cc besides `lib`, `configs` and the header of the kind.
      test_deps: of *_test.cc besides what its kind has.
      copts: of everything but the factory.
    """
    if kind not in KINDS:
        fail("no kind of extension is called %r; there are %s" % (kind, ", ".join(KINDS)))
    for layer in uses:
        if layer not in KINDS[kind]["may_use"]:
            fail("a %s may not use source/%s; KINDS in tools/bazel/kinds.bzl says what it may" % (kind, layer))
    name = native.package_name().split("/")[-1]
    tests = native.glob(["*_test.cc"])
    fuzzers = native.glob(["*_fuzz.cc"])
    factory_srcs = native.glob(["factory*.cc"], exclude = tests)
    factory_hdrs = native.glob(["factory*.h"])
    sluice_library(
        name = "lib",
        srcs = native.glob(["*.cc"], exclude = tests + fuzzers + factory_srcs),
        hdrs = native.glob(["*.h"], exclude = factory_hdrs),
        copts = copts,
        deps = deps + services,
        visibility = ["//visibility:public"],
    )
    sluice_library(
        name = name,
        srcs = factory_srcs,
        hdrs = factory_hdrs,
        deps = [":lib"] + configs + KINDS[kind]["factory_deps"] + factory_deps,
        seldom_run = True,
        visibility = ["//visibility:public"],
    )
    if tests:
        sluice_test(
            name = name + "_test",
            srcs = tests,
            data = native.glob(["testdata/*"]),
            deps = [":" + name, ":lib"] + KINDS[kind]["test_deps"] + test_deps,
        )
    for source in fuzzers:
        stem = source[:-len("_fuzz.cc")]
        sluice_fuzz_test(
            name = stem + "_fuzz",
            srcs = [source],
            corpus = native.glob(["corpus/%s/*" % stem]),
            deps = [":lib"],
        )
    sluice_library(name = "messages", deps = configs + services, visibility = ["//visibility:public"])
    native.filegroup(
        name = "example",
        srcs = ["example.yaml"] + native.glob(["testdata/*"]),
        visibility = ["//visibility:public"],
    )

_NAMESPACES = {kind["folder"]: kind["namespace"] for kind in KINDS.values()}

def _namespace(folder):
    below, _, name = folder.rpartition("/")
    return _NAMESPACES[below] + "::" + name

def _table_source_impl(ctx):
    includes = "".join(['#include "source/extensions/%s/factory.h"\n' % folder for folder in ctx.attr.folders])
    calls = "".join(["  %s::registerFactory(registry);\n" % _namespace(folder) for folder in ctx.attr.folders])
    out = ctx.actions.declare_file(ctx.label.name + ".cc")
    ctx.actions.write(
        out,
        '#include "source/extensions/all.h"\n\n%s\n' % includes +
        "namespace sluice::extensions {\n\nvoid registerAll(config::Registry& registry) {\n%s}\n\n" % calls +
        "}  // namespace sluice::extensions\n",
    )
    return [DefaultInfo(files = depset([out]))]

_table_source = rule(
    implementation = _table_source_impl,
    attrs = {"folders": attr.string_list(doc = "below source/extensions/")},
)

def sluice_extension_table(name, hdr, folders, deps):
    """The library whose registerAll names the extensions of all these folders. Only `hdr` is seen of it.

    `NAME_messages` has the messages that configure them, for tests that need the types without the code.
    """
    _table_source(name = name + "_table", folders = folders)
    sluice_library(
        name = name + "_code",
        srcs = [":" + name + "_table", hdr],
        deps = deps + ["//source/extensions/" + folder for folder in folders],
    )
    sluice_linked(name = name + "_linked", library = ":" + name + "_code")
    sluice_library(
        name = name,
        hdrs = [hdr],
        deps = deps + [":" + name + "_linked"],
        visibility = ["//visibility:public"],
    )
    sluice_library(
        name = name + "_messages",
        deps = ["//source/extensions/%s:messages" % folder for folder in folders],
        visibility = ["//visibility:public"],
    )
