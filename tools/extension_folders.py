"""What the BUILD files say of extensions and of messages, for the tools."""
import ast
import collections
import os

KINDS_FILE = "tools/bazel/kinds.bzl"
FOLDERS = "source/extensions"

# `path` is below source/extensions; the lists are the arguments of sluice_extension.
Extension = collections.namedtuple("Extension", "path kind configs services uses")


def literals(path):
    """The constants of a .bzl file: name -> value."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    return {
        node.targets[0].id: ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)
    }


def readKinds(root):
    return literals(os.path.join(root, KINDS_FILE))["KINDS"]


def callOf(path, rule):
    """The literal arguments of the first call of `rule` in a BUILD file; None if there is no call or no file."""
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == rule:
            return {argument.arg: literal(argument.value) for argument in node.value.keywords}
    return None


def literal(node):
    """Its value, or None for what is computed (a glob)."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def readExtension(root, path):
    """The extension in this folder below source/extensions, or None."""
    call = callOf(os.path.join(root, FOLDERS, path, "BUILD.bazel"), "sluice_extension")
    if call is None:
        return None
    return Extension(path, call.get("kind"), *(call.get(name) or [] for name in ("configs", "services", "uses")))


def readExtensions(root):
    """All of them, sorted by path."""
    found = []
    for folder, _, files in os.walk(os.path.join(root, FOLDERS)):
        extension = readExtension(root, os.path.relpath(folder, os.path.join(root, FOLDERS)))
        if "BUILD.bazel" in files and extension is not None:
            found.append(extension)
    return sorted(found)
