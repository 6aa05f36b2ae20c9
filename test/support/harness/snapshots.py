"""A management server with the habits of a snapshot cache, as many control planes are built on one.

All resources of a version are set at once, and each type has that version. In state of the world a request is answered
when its version_info is not the newest or it names something more; so a refusal, which keeps the old version_info, is
answered again at once. On the aggregated stream a request whose names are not all that the snapshot has of the type is
not answered until they are. In delta each resource has a version of its own, a hash of its bytes. Types go out in one
order, whatever was acknowledged.
"""
import concurrent.futures
import hashlib
import queue
import threading

from harness.ads import CLUSTER, DISCOVERY, ENDPOINT, LISTENER, ROUTE, SECRET, SERVICE, fill, messageClass, nameOf, pack

ORDER = (CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET)
OWN_STREAMS = {
    CLUSTER: ("envoy.service.cluster.v3.ClusterDiscoveryService", "Clusters"),
    ENDPOINT: ("envoy.service.endpoint.v3.EndpointDiscoveryService", "Endpoints"),
    LISTENER: ("envoy.service.listener.v3.ListenerDiscoveryService", "Listeners"),
    ROUTE: ("envoy.service.route.v3.RouteDiscoveryService", "Routes"),
    SECRET: ("envoy.service.secret.v3.SecretDiscoveryService", "Secrets"),
}
WILDCARD = (CLUSTER, LISTENER)


class SnapshotServer:
    def __init__(self):
        import grpc

        self.lock = threading.Lock()
        self.version = ""
        self.resources = {type_url: {} for type_url in ORDER}  # type -> {name: Any}
        self.inboxes = set()
        self.responses = 0
        self.refusals = []  # (type, text)
        self.acknowledged = {}  # type -> version, of the last request that was no refusal (state of the world)
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(32))
        for service, handlers in self._services():
            self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def _services(self):
        yield SERVICE, {
            "StreamAggregatedResources": self._handler(self._stateOfTheWorld, "", None),
            "DeltaAggregatedResources": self._handler(self._delta, "Delta", None),
        }
        for type_url, (service, plural) in OWN_STREAMS.items():
            yield service, {
                "Stream" + plural: self._handler(self._stateOfTheWorld, "", type_url),
                "Delta" + plural: self._handler(self._delta, "Delta", type_url),
            }

    def _handler(self, serve, variant, own_type):
        import grpc

        return grpc.stream_stream_rpc_method_handler(
            lambda requests, context: serve(self._events(requests, context), own_type),
            request_deserializer=messageClass(DISCOVERY + variant + "DiscoveryRequest").FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def set(self, version, resources):
        """Publishes a snapshot: type -> resources in the JSON form."""
        packed = {
            type_url: {nameOf(type_url, item): pack(type_url, item) for item in resources.get(type_url, ())} for type_url in ORDER
        }
        with self.lock:
            self.version, self.resources = version, packed
            for inbox in self.inboxes:
                inbox.put("snapshot")

    def stop(self):
        self.server.stop(0).wait(5)

    def _events(self, requests, context):
        """Requests, and "snapshot" when there is another one, until the stream ends."""
        inbox = queue.Queue()

        def read():
            try:
                for request in requests:
                    inbox.put(request)
            except Exception:  # the stream is gone
                pass
            inbox.put(None)

        with self.lock:
            self.inboxes.add(inbox)
        context.add_callback(lambda: inbox.put(None))
        threading.Thread(target=read, daemon=True).start()
        yield from iter(inbox.get, None)
        with self.lock:
            self.inboxes.discard(inbox)

    def _noteAnswer(self, type_url, request):
        with self.lock:
            if request.HasField("error_detail"):
                self.refusals.append((type_url, request.error_detail.message))
            elif hasattr(request, "version_info"):
                self.acknowledged[type_url] = request.version_info

    def _stateOfTheWorld(self, events, own_type):
        open_requests, nonces, number = {}, {}, 0  # type -> request that waits; type -> the last nonce
        for event in events:
            if event != "snapshot":
                type_url = event.type_url or own_type
                if event.response_nonce and event.response_nonce != nonces.get(type_url):
                    continue
                if event.response_nonce:
                    self._noteAnswer(type_url, event)
                previous = open_requests.get(type_url)
                event.type_url = type_url
                open_requests[type_url] = event
                more = previous is not None and set(event.resource_names) - set(previous.resource_names)
                if more:
                    event.version_info = ""
            for type_url in ORDER:
                request = open_requests.get(type_url)
                if request is None or event != "snapshot" and request is not event:
                    continue
                response = self._whole(type_url, request, aggregated=own_type is None)
                if response is None:
                    continue
                number += 1
                response.nonce = nonces[type_url] = str(number)
                request.version_info = response.version_info  # answered: it waits for the next version
                yield response

    def _whole(self, type_url, request, aggregated):
        with self.lock:
            version, known = self.version, self.resources[type_url]
            names = set(request.resource_names) - {"*"}
            if not version or request.version_info == version or (not names and type_url not in WILDCARD):
                return None
            if aggregated and names and not names >= set(known):
                return None
            self.responses += 1
        chosen = [item for name, item in known.items() if not names or name in names]
        return fill(messageClass(DISCOVERY + "DiscoveryResponse")(version_info=version, type_url=type_url), resources=chosen)

    def _delta(self, events, own_type):
        wanted, held, number = {}, {}, 0  # type -> names ("*": all); type -> {name: version}
        for event in events:
            if event != "snapshot":
                type_url = event.type_url or own_type
                if event.response_nonce:
                    self._noteAnswer(type_url, event)
                first = type_url not in wanted
                names = wanted.setdefault(type_url, set())
                has = held.setdefault(type_url, {})
                if first:
                    has.update(event.initial_resource_versions)
                    if type_url in WILDCARD and not event.resource_names_subscribe:
                        names.add("*")
                names |= set(event.resource_names_subscribe)
                names -= set(event.resource_names_unsubscribe)
                for name in event.resource_names_unsubscribe:
                    has.pop(name, None)
            for type_url in ORDER:
                if type_url not in wanted or event != "snapshot" and type_url != (event.type_url or own_type):
                    continue
                response = self._changes(type_url, wanted[type_url], held[type_url])
                if response is None:
                    continue
                number += 1
                response.nonce = str(number)
                yield response

    def _changes(self, type_url, names, held):
        with self.lock:
            version, known = self.version, self.resources[type_url]
        response = messageClass(DISCOVERY + "DeltaDiscoveryResponse")(type_url=type_url, system_version_info=version)
        for name, item in known.items():
            own_version = hashlib.sha256(item.value).hexdigest()[:16]
            if (name in names or "*" in names) and held.get(name) != own_version:
                entry = response.resources.add(name=name, version=own_version)
                entry.resource.MergeFromString(item.SerializeToString())
                held[name] = own_version
        for name in [name for name in held if name not in known]:
            response.removed_resources.append(name)
            del held[name]
        if not version or not (response.resources or response.removed_resources):
            return None
        with self.lock:
            self.responses += 1
        return response
