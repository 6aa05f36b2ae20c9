"""The proxies compared: for each a configuration that does the same work, tuned for proxying, with one worker."""
import json
import os
import pwd
import subprocess

import tokens
from harness import config
from harness.process import Process, binary

ROUTES_IN_CHAIN = 50
GZIP_LEVEL = 1  # that of nginx by default
LUA = """
function envoy_on_request(handle)
  local tenant = handle:headers():get(":authority")
  handle:headers():replace("x-tenant", tenant)
end
function envoy_on_response(handle)
  handle:headers():add("x-served-by", "lua")
end
"""
ECHO = """
syntax = "proto3";
package bench;
import "google/api/http.proto";
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { google.api.HttpRule http = 72295728; }
message Text { string text = 1; }
service Echo {
  rpc Unary(Text) returns (Text) { option (http) = {get: "/v1/echo"}; }
}
"""
KINDS = ("plain", "rr", "guarded", "chain", "routes", "https", "ws", "grpc", "tcp", "cached", "gzip", "guards", "lua", "transcode")
KINDS += ("jwt", "verify", "keys")
API_KEYS = 100000


class Setting:
    """One start of a proxy: where it listens for each kind, its upstreams, the kind under load and the number of routes."""

    def __init__(self, scratch, ports, upstreams, kind, routes, certificate, token_key, grpc_upstream, wrapper=()):
        self.kind = kind
        self.scratch = scratch
        self.ports = ports  # kind -> port
        self.upstreams = upstreams  # four ports
        self.routes = routes
        self.certificate = certificate  # PEM file: key and certificate
        self.token_key = token_key  # tokens.SigningKey
        self.grpc_upstream = grpc_upstream  # port of an HTTP/2 server without TLS
        self.wrapper = wrapper  # command that runs the proxy


def pinned(command, setting, name):
    return Process([*setting.wrapper, *command], setting.scratch, name, pinned_to={0})


def httpFilter(name, message, **fields):
    return config.httpFilter("envoy.filters.http." + name, "envoy.extensions.filters.http." + message, **fields)


def filtersOfGateways():
    """(kind, filters, more of the listener)."""
    cache = httpFilter(
        "cache_v2",
        "cache_v2.v3.CacheV2Config",
        typed_config={"@type": config.TYPE + "sluice.extensions.caches.memory.v1.MemoryCache"},
    )
    gzip = httpFilter(
        "compressor",
        "compressor.v3.Compressor",
        compressor_library={
            "name": "gzip",
            "typed_config": {
                "@type": config.TYPE + "envoy.extensions.compression.gzip.compressor.v3.Gzip",
                "compression_level": f"COMPRESSION_LEVEL_{GZIP_LEVEL}",
                "window_bits": 15,
                "memory_level": 8,
            },
        },
    )
    cors = httpFilter("cors", "cors.v3.Cors")
    allowed = {
        "@type": config.TYPE + "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"exact": "https://app.bench.test"}],
        "allow_methods": "GET, POST",
    }
    rules = {
        "action": "ALLOW",
        "policies": {
            "read": {
                "permissions": [{"header": {"name": ":method", "string_match": {"exact": "GET"}}}],
                "principals": [{"direct_remote_ip": {"address_prefix": "127.0.0.0", "prefix_len": 8}}],
            }
        },
    }
    mutations = {
        "request_mutations": [
            {"remove": "x-internal-debug"},
            {"append": {"header": {"key": "x-edge", "value": "bench"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
        ],
        "response_mutations": [
            {"append": {"header": {"key": "x-gateway", "value": "bench"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
        ],
    }
    guards = [
        cors,
        httpFilter("header_mutation", "header_mutation.v3.HeaderMutation", mutations=mutations),
        httpFilter("rbac", "rbac.v3.RBAC", rules=rules),
    ]
    lua = httpFilter("lua", "lua.v3.Lua", default_source_code={"inline_string": LUA})
    return [
        ("cached", [cache], {}),
        ("gzip", [gzip], {}),
        ("guards", guards, {"route_config": {"typed_per_filter_config": {"envoy.filters.http.cors": allowed}}}),
        ("lua", [lua], {}),
    ]


def keyOf(number):
    return f"key-{number:08}-{number * 2654435761 % 2**32:08x}"


def filtersOfIdentity(setting):
    """(kind, filter). `verify` keeps no token."""
    provider = {"issuer": tokens.ISSUER, "audiences": ["bench"], "local_jwks": {"inline_string": setting.token_key.keySet()}}
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}]
    jwt = lambda **more: httpFilter(  # noqa: E731
        "jwt_authn", "jwt_authn.v3.JwtAuthentication", providers={"bench": {**provider, **more}}, rules=rules
    )
    credentials = [{"key": keyOf(number), "client": f"client-{number}"} for number in range(API_KEYS)]
    return {
        "jwt": lambda: jwt(),
        "verify": lambda: jwt(jwt_cache_config={"jwt_max_token_size": 1}),
        "keys": lambda: httpFilter(
            "api_key_auth",
            "api_key_auth.v3.ApiKeyAuth",
            credentials=credentials,
            key_sources=[{"header": "x-api-key"}],
        ),
    }


def listenerOfTranscoder(setting, listen):
    setting.scratch.write("echo.proto", ECHO)
    descriptor = setting.scratch.join("echo.pb")
    api = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../api")
    subprocess.run(
        ["protoc", f"-I{setting.scratch.path}", f"-I{api}", "--include_imports", f"--descriptor_set_out={descriptor}"]
        + ["echo.proto"],
        check=True,
    )
    transcoder = httpFilter(
        "grpc_json_transcoder",
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=descriptor,
        services=["bench.Echo"],
    )
    # nghttpd does not say what it answers with.
    kind = {"header": {"key": "content-type", "value": "application/grpc"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    routes = [config.route("grpc", timeout="0s")]
    return listen("transcode", routes, filters=[transcoder], route_config={"response_headers_to_add": [kind]})


def startSluice(setting):
    breakers = {"thresholds": [{"max_connections": 50000, "max_pending_requests": 50000, "max_requests": 50000}]}
    first = setting.upstreams[0]
    listen = lambda kind, routes, **more: config.httpListener(  # noqa: E731
        kind, routes, address=config.socketAddress(setting.ports[kind]), **{"generate_request_id": False, **more}
    )
    chain_log = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": config.TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": setting.scratch.join("sluice-access.log"),
            "log_format": {
                "json_format": {
                    "time": "%START_TIME%",
                    "id": "%REQ(X-REQUEST-ID)%",
                    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
                    "method": "%REQ(:METHOD)%",
                    "path": "%REQ(:PATH)%",
                    "status": "%RESPONSE_CODE%",
                    "bytes": "%BYTES_SENT%",
                    "ms": "%DURATION%",
                    "upstream": "%UPSTREAM_HOST%",
                    "agent": "%REQ(USER-AGENT)%",
                }
            },
        },
    }
    limit = {
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": config.TYPE + "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "limit",
            "token_bucket": {"max_tokens": 1000000, "tokens_per_fill": 1000000, "fill_interval": "1s"},
            "filter_enabled": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
            "filter_enforced": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
        },
    }
    changes = {
        "request_headers_to_remove": ["x-internal-debug"],
        "response_headers_to_remove": ["cache-control"],
        "response_headers_to_add": [
            {"header": {"key": "x-gateway", "value": "bench"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        ],
    }
    retries = {"retry_on": "connect-failure,refused-stream,gateway-error", "num_retries": 2}
    numbered = lambda count: [config.route("one", prefix=f"/svc{i}/", timeout="0s") for i in range(count)]  # noqa: E731
    listeners = [
        listen("plain", [config.route("one", timeout="0s")]),
        listen("rr", [config.route("four", timeout="0s")]),
        listen("guarded", [config.route("guarded", timeout="0s", retry_policy=retries)]),
        listen("routes", numbered(setting.routes)),
        listen(
            "chain",
            numbered(ROUTES_IN_CHAIN),
            route_config=changes,
            filters=[limit],
            access_log=[chain_log],
            use_remote_address=True,
            generate_request_id=True,
            always_set_request_id_in_response=True,
        ),
    ]
    clusters = [
        config.cluster("one", first, circuit_breakers=breakers),
        config.cluster("four", *setting.upstreams, circuit_breakers=breakers),
        config.cluster(
            "guarded",
            *setting.upstreams,
            circuit_breakers=breakers,
            lb_policy="LEAST_REQUEST",
            outlier_detection={"consecutive_5xx": 5},
        ),
    ]
    listeners += [
        listen("https", [config.route("one", timeout="0s")]),
        listen("ws", [config.route("one", timeout="0s")], upgrade_configs=[{"upgrade_type": "websocket"}]),
        listen("grpc", [config.route("grpc", timeout="0s")]),
        {
            "name": "tcp",
            "address": config.socketAddress(setting.ports["tcp"]),
            "filter_chains": [
                {
                    "filters": [
                        {
                            "name": "envoy.filters.network.tcp_proxy",
                            "typed_config": {
                                "@type": config.TYPE + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                                "stat_prefix": "tcp",
                                "cluster": "one",
                            },
                        }
                    ]
                }
            ],
        },
    ]
    listeners += [
        listen(kind, [config.route("one", timeout="0s")], filters=filters, **more)
        for kind, filters, more in filtersOfGateways()
    ]
    of_identity = filtersOfIdentity(setting)
    if setting.kind in of_identity:
        listeners.append(listen(setting.kind, [config.route("one", timeout="0s")], filters=[of_identity[setting.kind]()]))
    if setting.kind == "transcode":
        listeners.append(listenerOfTranscoder(setting, listen))
    https = next(listener for listener in listeners if listener["name"] == "https")
    https["filter_chains"][0]["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": config.TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": setting.certificate},
                        "private_key": {"filename": setting.certificate},
                    }
                ],
            },
        },
    }
    clusters.append(config.cluster("grpc", setting.grpc_upstream, circuit_breakers=breakers, **config.HTTP2))
    listeners = [listener for listener in listeners if listener["name"] in ("plain", setting.kind)]
    clusters = [cluster for cluster in clusters if setting.kind in ("grpc", "transcode") or cluster["name"] != "grpc"]
    path = setting.scratch.write("sluice.json", json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}}))
    return pinned([binary("sluice"), "-c", path, "--concurrency", "1", "-l", "warning"], setting, "sluice")


def startNginx(setting):
    os.makedirs(setting.scratch.join("nginx-temp"), exist_ok=True)
    forward = "proxy_pass http://one;"
    numbered = lambda count: "".join(f"location /svc{i}/ {{ {forward} }}\n" for i in range(count))  # noqa: E731
    temp = "".join(
        f"{kind}_temp_path {setting.scratch.join('nginx-temp')};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Without a name its worker would be somebody else, who may not read the cache.
    owner = f"user {pwd.getpwuid(os.getuid()).pw_name};\n" if os.getuid() == 0 else ""
    servers = "".join(f"server 127.0.0.1:{port};\n" for port in setting.upstreams)
    guarded = "".join(f"server 127.0.0.1:{port} max_fails=5 fail_timeout=30s;\n" for port in setting.upstreams)
    text = f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
{owner}worker_processes 1;
worker_rlimit_nofile 20000;
pid {setting.scratch.join("nginx.pid")};
error_log stderr error;
events {{ worker_connections 19000; accept_mutex off; }}
http {{
{temp}
access_log off;
keepalive_timeout 600s;
keepalive_requests 1000000000;
client_body_buffer_size 256k;
client_max_body_size 0;
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_set_header Host $http_host;
proxy_buffers 16 8k;
proxy_request_buffering off;
limit_req_zone $server_name zone=all:1m rate=1000000r/s;
ssl_certificate {setting.certificate};
ssl_certificate_key {setting.certificate};
ssl_session_cache shared:tls:10m;
ssl_protocols TLSv1.2 TLSv1.3;
http2_max_concurrent_streams 128;
map $http_upgrade $upgraded {{ default upgrade; "" ""; }}
log_format line escape=json '{{"time":"$time_iso8601","id":"$request_id","client":"$remote_addr","method":"$request_method",'
  '"path":"$request_uri","status":$status,"bytes":$bytes_sent,"ms":$request_time,"upstream":"$upstream_addr",'
  '"agent":"$http_user_agent"}}';
upstream one {{ server 127.0.0.1:{setting.upstreams[0]}; keepalive 512; keepalive_requests 1000000000; }}
upstream grpc {{ server 127.0.0.1:{setting.grpc_upstream}; keepalive 512; keepalive_requests 1000000000; }}
upstream four {{ {servers} keepalive 512; keepalive_requests 1000000000; }}
upstream guarded {{ least_conn; {guarded} keepalive 512; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{setting.ports["plain"]} backlog=4096; location / {{ {forward} }} }}
server {{ listen 127.0.0.1:{setting.ports["https"]} ssl http2 backlog=4096; location / {{ {forward} }} }}
server {{ listen 127.0.0.1:{setting.ports["grpc"]} http2 backlog=4096;
location / {{ grpc_pass grpc://grpc; }} }}
server {{ listen 127.0.0.1:{setting.ports["ws"]} backlog=4096;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $upgraded;
location / {{ {forward} }} }}
server {{ listen 127.0.0.1:{setting.ports["rr"]} backlog=4096; location / {{ proxy_pass http://four; }} }}
server {{ listen 127.0.0.1:{setting.ports["guarded"]} backlog=4096;
proxy_next_upstream error timeout http_502 http_503 http_504;
proxy_next_upstream_tries 3;
location / {{ proxy_pass http://guarded; }} }}
server {{ listen 127.0.0.1:{setting.ports["routes"]} backlog=4096;
{numbered(setting.routes)} }}
proxy_cache_path {setting.scratch.join("nginx-cache")} levels=1:2 keys_zone=cached:16m max_size=64m use_temp_path=off;
server {{ listen 127.0.0.1:{setting.ports["cached"]} backlog=4096;
proxy_cache cached;
open_file_cache max=1000;
location / {{ {forward} }} }}
server {{ listen 127.0.0.1:{setting.ports["gzip"]} backlog=4096;
gzip on;
gzip_comp_level {GZIP_LEVEL};
gzip_types application/json;
location / {{ {forward} }} }}
server {{ listen 127.0.0.1:{setting.ports["chain"]} backlog=4096;
access_log {setting.scratch.join("nginx-access.log")} line buffer=64k flush=1s;
limit_req zone=all burst=100000 nodelay;
proxy_set_header Connection "";
proxy_set_header Host $http_host;
proxy_set_header X-Request-Id $request_id;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Internal-Debug "";
proxy_hide_header Cache-Control;
add_header x-gateway bench;
add_header x-request-id $request_id;
{numbered(ROUTES_IN_CHAIN)} }}
}}
stream {{ server {{ listen 127.0.0.1:{setting.ports["tcp"]} backlog=4096; proxy_pass 127.0.0.1:{setting.upstreams[0]}; }} }}
"""
    path = setting.scratch.write("nginx.conf", text)
    return pinned(["nginx", "-p", setting.scratch.path, "-c", path], setting, "nginx")


def startHaproxy(setting):
    maps = {"routes": setting.routes, "chain": ROUTES_IN_CHAIN}
    for kind, count in maps.items():
        setting.scratch.write(f"haproxy-{kind}.map", "".join(f"/svc{i}/ one\n" for i in range(count)))
    pick = lambda kind: f"use_backend %[path,map_beg({setting.scratch.join(f'haproxy-{kind}.map')})]"  # noqa: E731
    servers = "".join(f"  server s{i} 127.0.0.1:{port}\n" for i, port in enumerate(setting.upstreams))
    bind = lambda kind: f"bind 127.0.0.1:{setting.ports[kind]} backlog 4096"  # noqa: E731
    text = f"""
global
  nbthread 1
  maxconn 9000
  ssl-default-bind-options ssl-min-ver TLSv1.2
  tune.h2.max-concurrent-streams 128
  log stdout format raw local0
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  http-reuse always
frontend plain
  {bind("plain")}
  default_backend one
frontend https
  {bind("https")} ssl crt {setting.certificate} alpn h2,http/1.1
  default_backend one
frontend ws
  {bind("ws")}
  default_backend one
frontend grpc
  {bind("grpc")} proto h2
  default_backend grpc
frontend tcp
  {bind("tcp")}
  mode tcp
  default_backend tcp
frontend rr
  {bind("rr")}
  default_backend four
frontend guarded
  {bind("guarded")}
  default_backend guarded
frontend routes
  {bind("routes")}
  {pick("routes")}
frontend chain
  {bind("chain")}
  log global
  log-format '{{"time":"%tr","id":"%ID","client":"%ci","request":"%r","status":%ST,"bytes":%B,"ms":%Ta,"upstream":"%s"}}'
  unique-id-format %{{+X}}o\\ %ci%cp%Ts%rt
  unique-id-header x-request-id
  option forwardfor
  stick-table type integer size 1 expire 10s store http_req_rate(1s)
  http-request track-sc0 int(1)
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 1000000 }}
  http-request del-header x-internal-debug
  http-response del-header cache-control
  http-response set-header x-gateway bench
  {pick("chain")}
frontend cached
  {bind("cached")}
  http-request cache-use cached
  http-response cache-store cached
  default_backend one
frontend gzip
  {bind("gzip")}
  compression algo gzip
  compression type application/json
  default_backend one
frontend verify
  {bind("verify")}
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny unless {{ var(txn.alg) -m str RS256 }} {{ var(txn.iss) -m str {tokens.ISSUER} }}
  http-request deny unless {{ var(txn.aud) -m str bench }} {{ var(txn.exp),sub(txn.now) -m int gt 0 }}
  http-request deny unless {{ var(txn.bearer),jwt_verify(txn.alg,"{setting.token_key.public}") 1 }}
  default_backend one
cache cached
  total-max-size 64
  max-object-size 100000
  max-age 60
backend one
  server s 127.0.0.1:{setting.upstreams[0]}
backend tcp
  mode tcp
  server s 127.0.0.1:{setting.upstreams[0]}
backend grpc
  server s 127.0.0.1:{setting.grpc_upstream} proto h2
backend four
  balance roundrobin
{servers}backend guarded
  balance leastconn
  retries 2
  option redispatch
  retry-on conn-failure empty-response 502 503 504
  default-server check inter 10s observe layer7 error-limit 5 on-error mark-down
{servers}"""
    path = setting.scratch.write("haproxy.cfg", text)
    return pinned(["haproxy", "-db", "-f", path], setting, "haproxy")


START = {"sluice": startSluice, "nginx": startNginx, "haproxy": startHaproxy}
