"""`sluice` and `sluice-control` as processes."""
import json
import os
import signal

from harness.client import request
from harness.process import Process, binary, waitFor


def hostAndPort(text):
    host, _, port = text.strip().rpartition(":")
    return host.strip("[]"), int(port)


class Sluice(Process):
    """A data plane. The configuration is a dictionary or a text; the admin port is chosen by the kernel."""

    count = 0

    def __init__(self, scratch, config, concurrency=1, args=(), suffix="yaml", wait=True, env=None):
        Sluice.count += 1
        name = f"sluice-{Sluice.count}"
        text = config if isinstance(config, str) else json.dumps(config, indent=1)
        self.config_path = scratch.write(f"{name}.{suffix}", text)
        self.admin_path = scratch.join(name + ".admin")
        command = [binary("sluice"), "-c", self.config_path, "--admin-address-path", self.admin_path]
        if concurrency is not None:
            command += ["--concurrency", str(concurrency)]
        super().__init__([*command, *args], scratch, name, env)
        if wait:
            self.waitUntilReady()

    def adminTarget(self):
        """(host, port) of the admin server, once it has written its address."""

        def written():
            self.mustRun()
            with open(self.admin_path) as file:
                return hostAndPort(file.read())

        return waitFor(written, "the admin address file")

    def waitUntilReady(self, timeout=15.0):
        def ready():
            self.mustRun()
            return self.admin("/ready").status == 200

        waitFor(ready, "sluice to be ready", timeout)
        return self

    def admin(self, path, method="GET"):
        return request(self.adminTarget(), method, path)

    def adminJson(self, path):
        response = self.admin(path)
        if response.status != 200:
            raise AssertionError(f"admin {path} answered {response.status}: {response.body!r}")
        return json.loads(response.body)

    def addresses(self):
        """Listener name -> its local address message."""
        statuses = self.adminJson("/listeners?format=json").get("listener_statuses", [])
        return {status["name"]: status["local_address"] for status in statuses}

    def port(self, listener):
        """The port that the kernel gave to this listener."""
        return waitFor(lambda: self.addresses().get(listener), f"listener {listener}")["socket_address"]["port_value"]

    def stats(self, prefix=""):
        """Counters and gauges by name."""
        result = {}
        for line in self.admin("/stats").body.decode().splitlines():
            name, _, value = line.partition(": ")
            if name.startswith(prefix) and value.lstrip("-").isdigit():
                result[name] = int(value)
        return result

    def stat(self, name):
        return self.stats(name).get(name, 0)

    def terminate(self):
        self.signal(signal.SIGTERM)

    def stop(self):
        self.kill()


class Control(Process):
    """A control plane on a folder. Ports are chosen by this harness and stay the same over a restart."""

    count = 0

    def __init__(self, scratch, folder, listen=None, http=None, args=()):
        from harness.upstream import freePort

        Control.count += 1
        self.xds_port = listen or freePort()
        self.http_port = http or freePort()
        self.folder = folder
        super().__init__(
            [binary("sluice-control"), "--config", folder, "--listen", f"127.0.0.1:{self.xds_port}"]
            + ["--http", f"127.0.0.1:{self.http_port}", *args],
            scratch,
            f"control-{Control.count}",
        )
        self.waitUntilReady()

    def waitUntilReady(self, timeout=15.0):
        def ready():
            self.mustRun()
            return request(self.http_port, path="/api/v1/status").status == 200

        waitFor(ready, "sluice-control to be ready", timeout)
        return self

    def status(self):
        return json.loads(request(self.http_port, path="/api/v1/status").body)

    def stop(self):
        self.kill()


def runTool(name, *arguments, timeout=30):
    """(exit code, output of both streams) of a command line."""
    import subprocess

    run = subprocess.run(
        [binary(name), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        env=os.environ,
        text=True,
        errors="replace",
    )
    return run.returncode, run.stdout
