"""A control plane on a folder that the test writes, and a delta client of it."""
import json
import os
import queue
import threading

from harness.ads import DISCOVERY, SERVICE, fill, messageClass
from harness.process import SluiceTestCase
from harness.sluice import Control


def document(*typed, **more):
    return json.dumps({**more, "resources": [{"@type": type_url, **resource} for type_url, resource in typed]})


class DeltaClient:
    """One delta stream, aggregated or of a single type."""

    def __init__(self, target, method=f"/{SERVICE}/DeltaAggregatedResources", node="node-1", own_connection=False):
        import grpc

        # Channels of one process share a connection unless they are told not to.
        options = [("grpc.use_local_subchannel_pool", 1)] if own_connection else []
        self.channel = grpc.insecure_channel(target, options)
        call = self.channel.stream_stream(
            method,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=messageClass(DISCOVERY + "DeltaDiscoveryResponse").FromString,
        )
        self.outbox, self.inbox, self.node = queue.Queue(), queue.Queue(), node
        self.call = call(iter(self.outbox.get, None))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for response in self.call:
                self.inbox.put(response)
        except Exception as error:
            self.inbox.put(error)

    def send(self, type_url, subscribe=(), unsubscribe=(), nonce="", error=None, versions=None):
        request = messageClass(DISCOVERY + "DeltaDiscoveryRequest")(type_url=type_url, response_nonce=nonce)
        if self.node:
            request.node.id, self.node = self.node, None
        if error:
            request.error_detail.message = error
        request.initial_resource_versions.update(versions or {})
        self.outbox.put(fill(request, resource_names_subscribe=subscribe, resource_names_unsubscribe=unsubscribe))

    def receive(self, timeout=10):
        response = self.inbox.get(timeout=timeout)
        if isinstance(response, Exception):
            raise response
        return response

    def acknowledge(self, response):
        self.send(response.type_url, nonce=response.nonce)

    def settle(self, count=1, quiet=0.2):
        """Acknowledges so many responses, and those that should not come; all as (short type, added, removed)."""
        story = []
        while True:
            try:
                response = self.receive(timeout=10 if len(story) < count else quiet)
            except queue.Empty:
                return story
            self.acknowledge(response)
            added = sorted(resource.name for resource in response.resources)
            story.append((response.type_url.rsplit(".", 1)[1], added, sorted(response.removed_resources)))

    def stop(self):
        self.outbox.put(None)
        self.call.cancel()
        self.channel.close()


class ControlCase(SluiceTestCase):
    def serve(self, **files):
        os.mkdir(self.scratch.join("config"))
        for name, text in files.items():
            self.write(name, text)
        self.control = self.start(Control(self.scratch, self.scratch.join("config")))

    def write(self, name, text):
        self.scratch.write(f"config/{name}.json", text)

    def delta(self, **options):
        return self.start(DeltaClient(f"127.0.0.1:{self.control.xds_port}", **options))
