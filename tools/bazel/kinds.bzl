"""The kinds of extensions: where their folders are, what they are made of, and what they may depend on.

Read by sluice_extension (extension.bzl) and, as a Python literal, by tools/check_layers, tools/check_build and
tools/new_extension.

  folder        below source/extensions/
  namespace     inside sluice::extensions; the folder's name follows
  layers        folders of source/ that every extension of the kind may include
  may_use       folders that one of the kind may include, too, if its BUILD file says so with `uses`
  factory_deps  of its factory.cc: the header of the kind
  test_deps     of its tests: beds that stand in for the rest of the proxy
"""

KINDS = {
    "http_filter": {
        "folder": "filters/http",
        "namespace": "http_filters",
        "layers": ["filter"],
        "may_use": ["cache", "compression", "geoip", "jwt", "transcoding", "upstream"],
        "factory_deps": ["//source/config:http_filter_factory"],
        "test_deps": [
            "//source/config:test_world",
            "//test/support/filter:harness",
            "//test/support/filter:world",
        ],
    },
    # The last filter of an HTTP chain.
    "terminal": {
        "folder": "filters/http",
        "namespace": "http_filters",
        "layers": ["filter"],
        "may_use": ["router"],
        "factory_deps": ["//source/config:terminal_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    # The last network filter of a chain: it serves the connection.
    "network_filter": {
        "folder": "filters/network",
        "namespace": "network_filters",
        "layers": ["filter"],
        "may_use": ["session", "upstream"],
        "factory_deps": ["//source/config:network_filter_factory"],
        "test_deps": [
            "//source/config:test_world",
            "//source/filter:test_network",
        ],
    },
    # A network filter in front of the last one.
    "connection_filter": {
        "folder": "filters/network",
        "namespace": "network_filters",
        "layers": ["filter"],
        "may_use": ["geoip"],
        "factory_deps": ["//source/config:connection_filter_factory"],
        "test_deps": [
            "//source/config:test_world",
            "//source/filter:test_mirror",
            "//source/filter:test_network",
        ],
    },
    "listener_filter": {
        "folder": "filters/listener",
        "namespace": "listener_filters",
        "layers": ["filter"],
        "may_use": ["tls"],
        "factory_deps": ["//source/config:listener_filter_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    "udp_filter": {
        "folder": "filters/udp",
        "namespace": "udp_filters",
        "layers": ["filter"],
        "may_use": ["upstream"],
        "factory_deps": ["//source/config:udp_filter_factory"],
        "test_deps": [
            "//source/config:test_world",
            "//source/filter:test_network",
        ],
    },
    "access_logger": {
        "folder": "access_loggers",
        "namespace": "access_loggers",
        "layers": ["filter"],
        "may_use": [],
        "factory_deps": ["//source/config:access_log_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    # Which entries an access log gets.
    "access_log_filter": {
        "folder": "access_log_filters",
        "namespace": "access_log_filters",
        "layers": ["filter"],
        "may_use": [],
        "factory_deps": ["//source/config:access_log_filter_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    "transport_socket": {
        "folder": "transport_sockets",
        "namespace": "transport_sockets",
        "layers": ["net"],
        "may_use": [
            "stream",
            "tls",
        ],
        "factory_deps": ["//source/config:transport_socket_factory"],
        "test_deps": [
            "//source/config:test_world",
            "//source/net",
        ],
    },
    # Where the hosts of a cluster come from.
    "cluster": {
        "folder": "clusters",
        "namespace": "clusters",
        "layers": ["upstream"],
        "may_use": [],
        "factory_deps": ["//source/config:cluster_kind_factory"],
        "test_deps": [
            "//source/config:test_world",
            "//test/support/upstream:picking",
        ],
    },
    "load_balancing_policy": {
        "folder": "load_balancing_policies",
        "namespace": "load_balancing_policies",
        "layers": ["upstream"],
        "may_use": [],
        "factory_deps": ["//source/config:lb_policy_factory"],
        "test_deps": [
            "//source/config:test_world",
            "//test/support/upstream:picking",
        ],
    },
    # Which hosts a retry passes over.
    "retry_host_predicate": {
        "folder": "retry/host",
        "namespace": "retry::host",
        "layers": ["route"],
        "may_use": [],
        "factory_deps": ["//source/config:retry_predicate_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    # Of which priorities hosts get a retry.
    "retry_priority": {
        "folder": "retry/priority",
        "namespace": "retry::priority",
        "layers": ["route"],
        "may_use": [],
        "factory_deps": ["//source/config:retry_predicate_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    # Where internal redirects may lead.
    "redirect_predicate": {
        "folder": "internal_redirect",
        "namespace": "internal_redirect",
        "layers": ["route"],
        "may_use": [],
        "factory_deps": ["//source/config:redirect_predicate_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    # Compresses bodies, for the filters that name it.
    "compressor": {
        "folder": "compression/compressor",
        "namespace": "compression::compressor",
        "layers": ["compression"],
        "may_use": [],
        "factory_deps": ["//source/config:compression_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    # Takes a coding off bodies, likewise.
    "decompressor": {
        "folder": "compression/decompressor",
        "namespace": "compression::decompressor",
        "layers": ["compression"],
        "may_use": [],
        "factory_deps": ["//source/config:compression_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    # Where IP addresses are, for the filters that name one.
    "geoip_provider": {
        "folder": "geoip_providers",
        "namespace": "geoip_providers",
        "layers": ["geoip"],
        "may_use": [],
        "factory_deps": ["//source/config:geoip_provider_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    # What matchers look at, and conditions on it. (xds.type.matcher.v3.Matcher)
    "matching_input": {
        "folder": "matching/inputs",
        "namespace": "matching::inputs",
        "layers": ["match"],
        "may_use": [],
        "factory_deps": ["//source/config:match_input_factory"],
        "test_deps": ["//source/config:test_world"],
    },
    "input_matcher": {
        "folder": "matching/input_matchers",
        "namespace": "matching::input_matchers",
        "layers": ["match"],
        "may_use": [],
        "factory_deps": ["//source/config:value_matcher_factory"],
        "test_deps": ["//source/config:test_world"],
    },
}
