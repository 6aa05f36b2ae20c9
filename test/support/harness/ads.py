"""An ADS server and an ADS client that nobody of this repository's C++ had a hand in: Python's gRPC over the same protos.

Messages come from descriptors that protoc makes of api/, so no generated Python code is needed.
"""
import concurrent.futures
import functools
import glob
import os
import queue
import subprocess
import tempfile
import threading

from harness.process import TOP

TYPE = "type.googleapis.com/"
LISTENER = TYPE + "envoy.config.listener.v3.Listener"
ROUTE = TYPE + "envoy.config.route.v3.RouteConfiguration"
VIRTUAL_HOST = TYPE + "envoy.config.route.v3.VirtualHost"
SCOPE = TYPE + "envoy.config.route.v3.ScopedRouteConfiguration"
CLUSTER = TYPE + "envoy.config.cluster.v3.Cluster"
ENDPOINT = TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment"
SECRET = TYPE + "envoy.extensions.transport_sockets.tls.v3.Secret"
EXTENSION = TYPE + "envoy.config.core.v3.TypedExtensionConfig"
SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
DISCOVERY = "envoy.service.discovery.v3."


@functools.lru_cache(None)
def pool():
    """Descriptors of everything under api/."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    protos = glob.glob(os.path.join(TOP, "api/**/*.proto"), recursive=True)
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "set")
        subprocess.run(
            ["protoc", "-I" + os.path.join(TOP, "api"), "--include_imports", "--descriptor_set_out=" + out, *protos], check=True
        )
        with open(out, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    result = descriptor_pool.DescriptorPool()
    for file in files.file:
        result.Add(file)
    return result


@functools.lru_cache(None)
def messageClass(name):
    from google.protobuf import message_factory

    return message_factory.MessageFactory(pool()).GetPrototype(pool().FindMessageTypeByName(name))


def pack(type_url, resource):
    """A resource (JSON form) as an Any."""
    from google.protobuf import any_pb2, json_format

    message = messageClass(type_url[len(TYPE) :])()
    json_format.ParseDict(resource, message, descriptor_pool=pool())
    return any_pb2.Any(type_url=type_url, value=message.SerializeToString(deterministic=True))


def fill(message, **fields):
    """Sets fields of a message whose Any is of another pool: by bytes."""
    for name, value in fields.items():
        target = getattr(message, name)
        if name == "resources":
            for item in value:
                target.add().MergeFromString(item.SerializeToString())
        else:
            target.extend(value)
    return message


def nameOf(type_url, resource):
    return resource["cluster_name"] if type_url == ENDPOINT else resource["name"]


class AdsServer:
    """State-of-the-world or delta, one stream for everything. set() publishes; verdicts() tells what the client made of it."""

    def __init__(self, port=0):
        import grpc

        self.lock = threading.Lock()
        self.resources = {}  # type -> {name: resource}
        self.errors = {}  # type -> {name: (code, message)}, of resources that there are and that it cannot give
        self.versions = {}  # type -> number
        self.streams = set()
        self.acks = []  # (type, version, error message or "")
        # Incremental streams only.
        self.asked = []  # (type, name)
        self.tells_missing = False  # answers a name that there is not
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
        self.server.add_generic_rpc_handlers((self._handlers(),))
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.server.start()

    def _handlers(self):
        import grpc

        def handler(serve, request, response):
            return grpc.stream_stream_rpc_method_handler(
                serve,
                request_deserializer=messageClass(DISCOVERY + request).FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )

        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "StreamAggregatedResources": handler(self._stateOfTheWorld, "DiscoveryRequest", "DiscoveryResponse"),
                "DeltaAggregatedResources": handler(self._delta, "DeltaDiscoveryRequest", "DeltaDiscoveryResponse"),
            },
        )

    def set(self, type_url, *resources, errors=None):
        """Publishes all resources of a type, and the errors of others."""
        with self.lock:
            self.resources[type_url] = {nameOf(type_url, resource): resource for resource in resources}
            self.errors[type_url] = errors or {}
            self.versions[type_url] = self.versions.get(type_url, 0) + 1
            for stream in self.streams:
                stream.put(type_url)

    def version(self, type_url):
        with self.lock:
            return str(self.versions.get(type_url, 0))

    def verdict(self, type_url, version=None):
        """"" when the client acknowledged the version, its error when it refused it, None while it has not answered."""
        version = version or self.version(type_url)
        with self.lock:
            for seen_type, seen_version, error in reversed(self.acks):
                if (seen_type, seen_version) == (type_url, version):
                    return error
        return None

    def _read(self, requests, inbox, context):
        """Requests and publications in one queue; None at the end of the stream."""
        def read():
            try:
                for request in requests:
                    inbox.put(request)
            except Exception:  # the stream is gone
                pass
            inbox.put(None)

        with self.lock:
            self.streams.add(inbox)
        context.add_callback(lambda: inbox.put(None))
        threading.Thread(target=read, daemon=True).start()

    def _stateOfTheWorld(self, requests, context):
        inbox = queue.Queue()
        self._read(requests, inbox, context)
        wanted, sent = {}, {}  # type -> names; type -> version last sent
        while (item := inbox.get()) is not None:
            if isinstance(item, str):
                type_url = item
                if type_url not in wanted:
                    continue
            else:
                type_url = item.type_url
                names = set(item.resource_names)
                if item.response_nonce:
                    self._noteAnswer(type_url, item.response_nonce, item)
                    if type_url in wanted and wanted[type_url] == names:
                        continue
                wanted[type_url] = names
            with self.lock:
                version = self.versions.get(type_url, 0)
                known = dict(self.resources.get(type_url, {}))
                errors = dict(self.errors.get(type_url, {}))
            if version == 0 or (isinstance(item, str) and sent.get(type_url) == version):
                continue
            sent[type_url] = version
            names = wanted[type_url]
            chosen = [pack(type_url, resource) for name, resource in known.items() if not names or name in names or "*" in names]
            response = messageClass(DISCOVERY + "DiscoveryResponse")(
                version_info=str(version), type_url=type_url, nonce=str(version)
            )
            self._addErrors(response, errors)
            yield fill(response, resources=chosen)
        with self.lock:
            self.streams.discard(inbox)

    def _addErrors(self, response, errors):
        for name, (code, message) in errors.items():
            error = response.resource_errors.add()
            error.resource_name.name = name
            error.error_detail.code, error.error_detail.message = code, message

    def _noteAnswer(self, type_url, version, request):
        with self.lock:
            error = request.error_detail.message or "refused" if request.HasField("error_detail") else ""
            self.acks.append((type_url, version, error))

    def _delta(self, requests, context):
        inbox = queue.Queue()
        self._read(requests, inbox, context)
        wanted, sent = {}, {}  # type -> names ("*": all); type -> {name: bytes}
        while (item := inbox.get()) is not None:
            if isinstance(item, str):
                type_url = item
                if type_url not in wanted:
                    continue
            else:
                type_url = item.type_url
                if item.response_nonce:
                    self._noteAnswer(type_url, item.response_nonce, item)
                first = type_url not in wanted
                names = wanted.setdefault(type_url, set())
                if first:
                    sent[type_url] = {name: b"" for name in item.initial_resource_versions}
                if first and not item.resource_names_subscribe:
                    names.add("*")
                names |= set(item.resource_names_subscribe)
                names -= set(item.resource_names_unsubscribe)
                if item.response_nonce and not item.resource_names_subscribe:
                    continue
            with self.lock:
                version = self.versions.get(type_url, 0)
                known = dict(self.resources.get(type_url, {}))
                errors = dict(self.errors.get(type_url, {}))
            if version == 0:
                continue
            names, before = wanted[type_url], sent.setdefault(type_url, {})
            asked = set() if isinstance(item, str) else set(item.resource_names_subscribe)
            with self.lock:
                self.asked += [(type_url, name) for name in asked]
            response = messageClass(DISCOVERY + "DeltaDiscoveryResponse")(
                type_url=type_url, nonce=str(version), system_version_info=str(version)
            )
            for name, resource in known.items():
                if name not in names and "*" not in names:
                    continue
                packed = pack(type_url, resource)
                if before.get(name) == packed.value and name not in asked:
                    continue
                before[name] = packed.value
                entry = response.resources.add(name=name, version=str(version))
                entry.resource.MergeFromString(packed.SerializeToString())
            self._addErrors(response, errors)
            gone = [name for name in before if name not in known and name not in errors]
            for name in gone:
                del before[name]
            if self.tells_missing:
                gone += [name for name in asked if name not in known and name not in gone and name != "*"]
            response.removed_resources.extend(gone)
            if response.resources or gone or errors or not isinstance(item, str):
                yield response
        with self.lock:
            self.streams.discard(inbox)

    def stop(self):
        self.server.stop(0).wait(5)


class AdsClient:
    """A state-of-the-world client on one aggregated stream: what gRPC's own xDS client would ask."""

    method, request, response = "StreamAggregatedResources", "DiscoveryRequest", "DiscoveryResponse"

    def __init__(self, port, node="node-1", cluster="test"):
        import grpc

        # Without limit: a thousand clusters are one response.
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.max_receive_message_length", -1)])
        call = self.channel.stream_stream(
            f"/{SERVICE}/{self.method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=messageClass(DISCOVERY + self.response).FromString,
        )
        self.outbox, self.inbox = queue.Queue(), queue.Queue()
        self.node, self.cluster, self.first = node, cluster, True
        self.call = call(iter(self.outbox.get, None))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for response in self.call:
                self.inbox.put(response)
        except Exception as error:  # told to whoever waits for a response
            self.inbox.put(error)

    def send(self, type_url, names=(), version="", nonce="", error=None):
        request = messageClass(DISCOVERY + self.request)(type_url=type_url, version_info=version, response_nonce=nonce)
        self._introduce(request)
        if error:
            request.error_detail.code, request.error_detail.message = 3, error
        self.outbox.put(fill(request, resource_names=names))

    def _introduce(self, request):
        if self.first:
            request.node.id, request.node.cluster = self.node, self.cluster
            self.first = False

    def receive(self, timeout=10):
        response = self.inbox.get(timeout=timeout)
        if isinstance(response, Exception):
            raise response
        return response

    def resources(self, response):
        """The resources of a response as messages."""
        result = []
        for item in response.resources:
            message = messageClass(item.type_url[len(TYPE) :])()
            message.ParseFromString(item.value)
            result.append(message)
        return result

    def acknowledge(self, response, names=()):
        self.send(response.type_url, names, response.version_info, response.nonce)

    def stop(self):
        self.outbox.put(None)
        self.call.cancel()
        self.channel.close()


class DeltaAdsClient(AdsClient):
    """The same in the incremental encoding."""

    method, request, response = "DeltaAggregatedResources", "DeltaDiscoveryRequest", "DeltaDiscoveryResponse"

    def subscribe(self, type_url, *names):
        request = messageClass(DISCOVERY + self.request)(type_url=type_url)
        self._introduce(request)
        self.outbox.put(fill(request, resource_names_subscribe=names))

    def acknowledge(self, response, names=()):
        self.outbox.put(messageClass(DISCOVERY + self.request)(type_url=response.type_url, response_nonce=response.nonce))
