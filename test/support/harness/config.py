"""Configurations as dictionaries in the JSON form of the Envoy v3 API. Every listener takes port 0."""
import os
import re

TYPE = "type.googleapis.com/"
HCM = TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def socketAddress(port, address="127.0.0.1"):
    return {"socket_address": {"address": address, "port_value": port}}


# Fields of a cluster whose hosts speak HTTP/2.
HTTP2 = {
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
}


def fileLog(path, format=None, **entry):
    """An access log in a file. The format is a text (with its end of line), a log_format or the default one."""
    config = {"@type": TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": path}
    if format is not None:
        config["log_format"] = {"text_format_source": {"inline_string": format}} if isinstance(format, str) else format
    return {"name": "file", "typed_config": config, **entry}


def httpFilter(name, type_name, **fields):
    return {"name": name, "typed_config": {"@type": TYPE + type_name, **fields}}


def routerFilter():
    return httpFilter("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")


def route(cluster_name, prefix="/", match=None, **action):
    """One route: by prefix, or by the RouteMatch given."""
    return {"match": match or {"prefix": prefix}, "route": {"cluster": cluster_name, **action}}


def directResponse(status, body="", prefix="/"):
    response = {"status": status}
    if body:
        response["body"] = {"inline_string": body}
    return {"match": {"prefix": prefix}, "direct_response": response}


def routeConfig(name, routes, **more):
    return {"name": name, "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}], **more}


def httpListener(name, routes=None, virtual_hosts=None, rds=None, address=None, filters=(), route_config=None, **hcm):
    """A listener with one HTTP connection manager; `hcm` holds more of its fields."""
    manager = {"@type": HCM, "stat_prefix": name, "http_filters": [*filters, routerFilter()], **hcm}
    if rds is not None:
        manager["rds"] = rds
    elif virtual_hosts is not None:
        manager["route_config"] = {"name": name, "virtual_hosts": virtual_hosts, **(route_config or {})}
    elif "scoped_routes" not in hcm:
        manager["route_config"] = routeConfig(name, routes, **(route_config or {}))
    network_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {"name": name, "address": address or socketAddress(0), "filter_chains": [{"filters": [network_filter]}]}


def endpoint(target, weight=None):
    """An endpoint at a port of 127.0.0.1, or at the address message given."""
    address = socketAddress(target) if isinstance(target, int) else target
    result = {"endpoint": {"address": address}}
    if weight is not None:
        result["load_balancing_weight"] = weight
    return result


def loadAssignment(name, targets):
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint(target) for target in targets]}]}


def cluster(name, *targets, **more):
    """A STATIC cluster of ports or addresses."""
    result = {"name": name, "type": "STATIC", "connect_timeout": "2s", "load_assignment": loadAssignment(name, targets)}
    return {**result, **more}


def bootstrap(listeners, clusters, **more):
    return {
        "admin": {"address": socketAddress(0)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
        **more,
    }


def exampleConfig(folder, ports, name="sluice.yaml"):
    """The configuration of an example with these ports ("8081" -> 32768) in place of its own. The kernel chooses others."""
    with open(os.path.join(folder, name)) as file:
        return re.sub(r"(?<=port_value: )\d+", lambda match: str(ports.get(match.group(), 0)), file.read())


def upstreamTls(common=None, **more):
    """A transport socket of clusters."""
    kind = TYPE + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    return {"name": "tls", "typed_config": {"@type": kind, "common_tls_context": common or {}, **more}}


def grpcSource(cluster_name, delta=False):
    """A configuration source: a stream of its own to this cluster, for each type."""
    api = {
        "api_type": "DELTA_GRPC" if delta else "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": cluster_name}}],
    }
    return {"api_config_source": api, "resource_api_version": "V3"}


def xdsBootstrap(xds_port, delta=False, node="node-1", transport_socket=None):
    """Everything from the control plane at this port, over one aggregated stream."""
    xds_cluster = cluster("xds", xds_port, **HTTP2)
    if transport_socket:
        xds_cluster["transport_socket"] = transport_socket
    return {
        "node": {"id": node, "cluster": "test"},
        "admin": {"address": socketAddress(0)},
        "dynamic_resources": {
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "ads_config": {
                "api_type": "DELTA_GRPC" if delta else "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
            },
        },
        "static_resources": {"clusters": [xds_cluster]},
    }
