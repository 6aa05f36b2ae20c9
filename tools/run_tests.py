"""The stages of tools/test. Nothing is listed by hand: what exists is found by name (tools/check_*, test_*.py) or by
bazel query (the tag fuzz). A failing stage does not stop the ones after it."""
import concurrent.futures
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = "/usr/bin/python3"
BAZEL = os.environ.get("SLUICE_BAZEL", "bazel").split()
FUZZ_SECONDS = int(os.environ.get("SLUICE_FUZZ_SECONDS", "120"))  # of all fuzz targets together
FILE_TIMEOUT_S = 600  # of one file of integration tests, one smoke test, one check
QUIET = ["--color=no", "--curses=no", "--show_progress", "--show_progress_rate_limit=30"]


class Tally:
    """Counts test cases, by stage. A skipped case counts as neither."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.failures = []

    def add(self, name, passed, failed=0, note=""):
        self.passed += passed
        self.failed += failed
        if failed:
            self.failures.append(f"{name} ({failed} of {passed + failed} failed)")
        verdict = "FAILED" if failed else "ok"
        say(f"  {verdict:6} {name}: {passed} passed, {failed} failed{note}")


def say(text):
    print(text, flush=True)


def runCommand(command, timeout=None, env=None, cwd=TOP):
    """(exit code, output of both streams); a timeout is exit code 124. Its children are killed with it."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        output, _ = process.communicate()
        return 124, output + f"\nkilled: not done after {timeout} s\n"


def sideBySide(task, items):
    """Results of task(item), in order, of as many at once as there are processors. For work that no clock judges."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(task, items)


def query(expression):
    run = subprocess.run(
        [*BAZEL, "query", "--noshow_progress", "--output=label", expression],
        cwd=TOP,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if run.returncode != 0:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        raise RuntimeError(f"bazel query '{expression}': {' '.join(errors) or run.stderr.strip()}")
    return sorted(line for line in run.stdout.splitlines() if line.startswith("//"))


def tagged(tag):
    return query(f'attr(tags, "[\\[ ]{tag}[,\\]]", tests(//...))')


def countPythonCases(code, output):
    """Cases of a unittest run, from its own summary."""
    ran = sum(int(n) for n in re.findall(r"^Ran (\d+) tests?", output, re.M))
    skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", output))
    failed = sum(int(n) for n in re.findall(r"(?:failures|errors|unexpected successes)=(\d+)", output))
    if code != 0 and failed == 0:
        failed = 1
    return max(ran - skipped - failed, 0), failed, skipped


def countLogCases(log, passed):
    """Cases of one Bazel test: what Catch2's summary says, or one for a test that is no Catch2 binary."""
    all_passed = re.search(r"^All tests passed \(.* in (\d+) test cases?\)", log, re.M)
    if all_passed:
        cases = int(all_passed.group(1))
        return (cases, 0) if passed else (cases, 1)
    summary = re.search(r"^test cases: +(\d+)(.*)$", log, re.M)
    if summary:
        failed = re.search(r"(\d+) failed", summary.group(2))
        failed = int(failed.group(1)) if failed else 0
        total = int(summary.group(1))
        return (total - failed, failed) if passed or failed else (total, 1)
    return (1, 0) if passed else (0, 1)


def bazelTests(tally, labels, flags=()):
    """Builds and runs these tests. One that does not build is a failure of one."""
    with tempfile.TemporaryDirectory() as scratch:
        targets = os.path.join(scratch, "targets")
        events = os.path.join(scratch, "events.json")
        with open(targets, "w") as file:
            file.write("\n".join(labels))
        subprocess.run(
            [*BAZEL, "test", *QUIET, "--keep_going", *flags, f"--target_pattern_file={targets}"]
            + [f"--build_event_json_file={events}", "--test_summary=none"],
            cwd=TOP,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        results = readEvents(events)
    for label in labels:
        if label not in results:
            tally.add(label, 0, 1, " (did not build or did not run: see above)")
            continue
        passed, log = results[label]
        tally.add(label, *countLogCases(log, passed))


def readEvents(path):
    """label -> (passed, log) from a Bazel build event file."""
    results = {}
    if not os.path.exists(path):
        return results
    with open(path) as file:
        for line in file:
            event = json.loads(line)
            result = event.get("testResult")
            if result is None:
                continue
            log = ""
            for output in result.get("testActionOutput", []):
                if output["name"] == "test.log":
                    with contextlib.suppress(OSError):
                        with open(urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path), errors="replace") as text:
                            log = text.read()
            results[event["id"]["testResult"]["label"]] = (result.get("status") == "PASSED", log)
    return results


def stageChecks(tally):
    """Format, layers, API, and the tests of the tools themselves."""
    order = ["check_format", "check_layers", "check_api"]
    checks = [path for path in glob.glob(os.path.join(TOP, "tools/check_*")) if os.access(path, os.X_OK)]
    rank = {name: number for number, name in enumerate(order)}
    checks.sort(key=lambda path: (rank.get(os.path.basename(path), len(order)), path))
    for check, (code, output) in zip(checks, sideBySide(lambda path: runCommand([path], FILE_TIMEOUT_S), checks)):
        if code != 0:
            say(output)
        tally.add(os.path.relpath(check, TOP), int(code == 0), int(code != 0))
    for folder in ("tools", "test/support"):
        pythonTests(tally, folder, "*_test.py")


def pythonTests(tally, folder, pattern, env=None):
    for path in sorted(glob.glob(os.path.join(TOP, folder, pattern))):
        name = os.path.relpath(path, TOP)
        discover = ["-m", "unittest", "discover", "-v", "-s", folder, "-p", os.path.basename(path)]
        code, output = runCommand([PYTHON, *discover], FILE_TIMEOUT_S, env)
        passed, failed, skipped = countPythonCases(code, output)
        if failed:
            say(output)
        for figure in re.findall(r"^figures: .*$", output, re.M):
            say(f"  {figure}")
        for reason in re.findall(r"^(\S+ .*skipped .*)$", output, re.M):
            say(f"  skipped: {reason}")
        tally.add(name, passed, failed, f", {skipped} skipped" if skipped else "")


ALL_TESTS = 'tests(//...) except attr(tags, "manual", tests(//...))'


def stageUnit(tally):
    """Unit tests, simulation and fuzz seeds under AddressSanitizer and UndefinedBehaviorSanitizer."""
    bazelTests(tally, query(ALL_TESTS), ["--config=asan"])
    programs = query("kind(cc_binary, //test/...)")
    build = [*BAZEL, "build", *QUIET, "--config=asan", *programs]
    code = subprocess.run(build, cwd=TOP, stdin=subprocess.DEVNULL).returncode
    tally.add("programs under test/ compile", int(code == 0), int(code != 0))


def stagePlain(tally):
    """The same tests in the default configuration, which builds fastest."""
    bazelTests(tally, query(ALL_TESTS))


def stageBuild(tally):
    """The release binaries."""
    code = subprocess.run(["tools/build"], cwd=TOP, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT).returncode
    tally.add("tools/build", int(code == 0), int(code != 0))


def binFolder():
    return os.environ.get("SLUICE_BIN_DIR", os.path.join(TOP, "bin"))


def stageIntegration(tally):
    """The built binaries, driven as a user would."""
    peers = query("kind(cc_binary, //test/support/...)")
    subprocess.run([*BAZEL, "build", *QUIET, "--config=release", *peers], cwd=TOP, stdin=subprocess.DEVNULL)
    info = subprocess.run([*BAZEL, "info", "--config=release", "bazel-bin"], cwd=TOP, capture_output=True, text=True)
    programs = os.path.join(info.stdout.strip(), "test/support")
    pythonTests(
        tally, "test/integration", "test_*.py", {"SLUICE_BIN_DIR": binFolder(), "SLUICE_TEST_PROGRAMS": programs}
    )


def stageExamples(tally):
    """Each example's smoke test; the canary's is tools/quickstart."""
    for folder in sorted(glob.glob(os.path.join(TOP, "examples/*/"))):
        pythonTests(tally, os.path.relpath(folder, TOP), "smoke_test.py", {"SLUICE_BIN_DIR": binFolder()})


def seedsOf(label):
    """Files of a fuzz target's corpus, by absolute path."""
    labels = query(f"labels(data, {label})")
    return [os.path.join(TOP, seed[2:].replace(":", "/").lstrip("/")) for seed in labels]


def stageFuzz(tally):
    """Every fuzz target from its seeds, in equal shares of a fixed time. Finds regressions, not what needs a night."""
    labels = tagged("fuzz")
    if not labels:
        return
    subprocess.run([*BAZEL, "build", *QUIET, "--keep_going", "--config=fuzz", *labels], cwd=TOP, stdin=subprocess.DEVNULL)
    info = subprocess.run([*BAZEL, "info", "--config=fuzz", "bazel-bin"], cwd=TOP, capture_output=True, text=True)
    seconds = max(FUZZ_SECONDS // len(labels), 1)

    def fuzz(label):
        binary = os.path.join(info.stdout.strip(), label[2:].replace(":", "/").lstrip("/"))
        return fuzzOne(label, binary, seconds) if os.path.exists(binary) else (0, 1, " (did not build: see above)")

    for label, verdict in zip(labels, sideBySide(fuzz, labels)):
        tally.add(f"fuzz {label}", *verdict)


def fuzzOne(label, binary, seconds):
    """(passed, failed, note)."""
    with tempfile.TemporaryDirectory() as scratch:
        os.mkdir(f"{scratch}/corpus")
        for number, seed in enumerate(seedsOf(label)):
            if os.path.isfile(seed):
                shutil.copy(seed, f"{scratch}/corpus/{number}")
        code, output = runCommand(
            [binary, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"]
            + [f"-artifact_prefix={scratch}/", f"{scratch}/corpus"],
            seconds * 6 + 60,
            {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"},
            scratch,
        )
        if code != 0:
            say(output[-6000:])
            for artifact in glob.glob(f"{scratch}/*-*"):
                with open(artifact, "rb") as file:
                    say(f"input that failed (add it to the corpus): {file.read()!r}")
        runs = re.search(r"number_of_executed_units: *(\d+)", output)
        note = f", {runs.group(1)} inputs in {seconds} s" if runs else ""
        return int(code == 0), int(code != 0), note


def stageTsan(tally):
    bazelTests(tally, query('tests(//...) except attr(tags, "manual|grpc|notsan|fuzz", tests(//...))'), ["--config=tsan"])


STAGES = {
    "checks": stageChecks,
    "plain": stagePlain,
    "unit": stageUnit,
    "build": stageBuild,
    "integration": stageIntegration,
    "examples": stageExamples,
    "fuzz": stageFuzz,
    "tsan": stageTsan,
}
QUICK = ["checks", "plain"]
DEFAULT = ["checks", "unit", "build", "integration", "examples", "fuzz"]  # tsan doubles the time: for developers and the night


def main(arguments):
    unknown = [name for name in arguments if name not in STAGES and name != "quick"]
    if unknown:
        print(f"tools/test: no stage {', '.join(unknown)}; there are {' '.join(STAGES)}, quick", file=sys.stderr)
        return 2
    chosen = [*arguments, *QUICK] if "quick" in arguments else arguments or DEFAULT
    names = [name for name in STAGES if name in chosen]
    total = Tally()
    for name in names:
        say(f"=== {name}: {STAGES[name].__doc__.split(chr(10))[0] if STAGES[name].__doc__ else name}")
        began = time.monotonic()
        tally = Tally()
        try:
            STAGES[name](tally)
        except Exception as error:  # the other stages still run
            tally.add(f"{name}: {error}", 0, 1)
        say(f"--- {name}: {tally.passed} passed, {tally.failed} failed in {time.monotonic() - began:.0f} s")
        total.passed += tally.passed
        total.failed += tally.failed
        total.failures += tally.failures
    if total.failures:
        say("Failed:\n  " + "\n  ".join(total.failures))
    if total.passed + total.failed == 0:
        say("No test ran.")
    say(f"{total.passed} passed, {total.failed} failed")
    return 0 if total.failed == 0 and total.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
