"""HTTP/2 towards upstreams: nginx with and without TLS, and gRPC servers of Python, behind clients of either protocol."""
import concurrent.futures
import getpass
import os
import signal
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.upstream import freePort  # noqa: E402

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


def protocol(**options):
    """The fields of a cluster that say how to speak HTTP."""
    return {"typed_extension_protocol_options": {OPTIONS: {"@type": config.TYPE + OPTIONS, **options}}}


def http2(**options):
    return protocol(explicit_http_config={"http2_protocol_options": options})


def tls(**context):
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": {"@type": config.TYPE + TLS, **context}}}


NGINX = """
user {user}; daemon off; master_process on; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  http2_max_concurrent_streams {streams}; keepalive_requests {requests};
  server {{
    listen 127.0.0.1:{plain} http2;
    location / {{ return 200 "$server_protocol $request_method $host"; }}
    location /slow {{ limit_rate 200; alias {folder}/slow; }}
  }}
  server {{
    listen 127.0.0.1:{secure} ssl http2; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ return 200 "$server_protocol $ssl_server_name"; }}
  }}
  server {{
    listen 127.0.0.1:{old} ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ return 200 "$server_protocol $ssl_server_name"; }}
  }}
}}
"""


def makeCertificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", "/CN=up.test", "-addext", "subjectAltName=DNS:up.test,DNS:other.test"]
        + ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
        check=True,
        stderr=subprocess.DEVNULL,
    )


class Nginx(Process):
    def __init__(self, scratch, streams=128, requests=1000):
        self.plain, self.secure, self.old = freePort(), freePort(), freePort()
        folder = scratch.path
        makeCertificate(folder)
        scratch.write("slow", b"x" * 400)
        path = scratch.write("nginx.conf", NGINX.format(folder=folder, user=getpass.getuser(), streams=streams, requests=requests, **vars(self)))
        super().__init__(["nginx", "-c", path], scratch, "nginx")
        waitFor(lambda: not rawConnection(self.plain).close(), "nginx")

    def reload(self):
        self.signal(signal.SIGHUP)

    def stop(self):
        self.signal(signal.SIGTERM)
        self.waitForExit()


HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend web
  bind 127.0.0.1:{plain} proto h2
  bind 127.0.0.1:{secure} ssl crt {folder}/both.pem alpn h2,http/1.1
  http-request wait-for-body time 5s if METH_POST
  http-request return status 200 content-type text/plain lf-string "%HV %HM %[ssl_fc_sni]%[req.body_len]"
"""


class Haproxy(Process):
    def __init__(self, scratch):
        self.plain, self.secure = freePort(), freePort()
        makeCertificate(scratch.path)
        with open(scratch.join("both.pem"), "w") as both:
            for name in ("cert.pem", "key.pem"):
                with open(scratch.join(name)) as file:
                    both.write(file.read())
        path = scratch.write("haproxy.cfg", HAPROXY.format(folder=scratch.path, **vars(self)))
        super().__init__(["haproxy", "-db", "-f", path], scratch, "haproxy")
        waitFor(lambda: not rawConnection(self.plain).close(), "haproxy")

    def stop(self):
        self.kill()


class UpstreamCase(SluiceTestCase):
    def proxy(self, *clusters, **hcm):
        routes = [route(c["name"], prefix="/" + c["name"]) for c in clusters[1:]] + [route(clusters[0]["name"])]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("http", routes, **hcm)], list(clusters))))
        return self.sluice.port("http")


class NginxTest(UpstreamCase):
    def test_requests_of_http1_go_on_by_http2_without_tls(self):
        nginx = self.start(Nginx(self.scratch))
        port = self.proxy(cluster("up", nginx.plain, **http2()))

        got = get(port, host="up.test")
        head = request(port, "HEAD", "/", headers=[("host", "up.test")])
        post = request(port, "POST", "/", headers=[("host", "up.test")], body=b"x" * 100000)

        self.assertEqual((got.status, got.body), (200, b"HTTP/2.0 GET up.test"))
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual((post.status, post.body), (200, b"HTTP/2.0 POST up.test"))
        self.assertEqual(self.sluice.stat("cluster.up.upstream_cx_http2_total"), 1)

    def test_by_tls_alpn_chooses_and_the_host_of_the_request_is_the_server_name(self):
        nginx = self.start(Nginx(self.scratch))
        auto = {
            "auto_config": {},
            "upstream_http_protocol_options": {"auto_sni": True, "auto_san_validation": True},
        }
        ca = {"common_tls_context": {"validation_context": {"trusted_ca": {"filename": self.scratch.join("cert.pem")}}}}
        port = self.proxy(
            cluster("new", nginx.secure, **protocol(**auto), **tls(**ca)),
            cluster("old", nginx.old, **protocol(**auto), **tls(**ca)),
        )

        self.assertEqual(get(port, "/", host="up.test").body, b"HTTP/2.0 up.test")
        self.assertEqual(get(port, "/", host="other.test").body, b"HTTP/2.0 other.test")
        self.assertEqual(get(port, "/old", host="up.test").body, b"HTTP/1.1 up.test")
        wrong = get(port, "/", host="wrong.test")
        self.assertEqual(wrong.status, 503)
        self.assertEqual(self.sluice.stat("cluster.new.upstream_cx_connect_fail"), 1)
        self.assertEqual(self.sluice.stat("cluster.old.upstream_cx_http1_total"), 1)

    def test_further_connections_are_opened_at_the_hosts_limit_of_streams(self):
        nginx = self.start(Nginx(self.scratch, streams=2))
        port = self.proxy(cluster("up", nginx.plain, **http2()))
        get(port)

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: get(port, "/slow").status, range(10)))

        self.assertEqual(answers, [200] * 10)
        self.assertGreaterEqual(self.sluice.stat("cluster.up.upstream_cx_http2_total"), 5)

    def test_goaway_under_load_loses_nothing(self):
        nginx = self.start(Nginx(self.scratch, requests=37))
        port = self.proxy(cluster("up", nginx.plain, **http2()))
        failed, done, stop = [], [0], threading.Event()

        def load(number):
            while not stop.is_set():
                method, body = ("POST", b"x" * 500) if number % 2 else ("GET", b"")
                answer = request(port, method, "/", headers=[("host", "a")], body=body)
                done[0] += 1
                if answer.status != 200:
                    failed.append((answer.status, answer.body))

        threads = [threading.Thread(target=load, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for step in range(1, 6):
            waitFor(lambda: done[0] >= step * 200, "load", 30)
            nginx.reload()
        waitFor(lambda: done[0] >= 1400, "load", 30)
        stop.set()
        for thread in threads:
            thread.join()

        self.assertEqual(failed, [])
        self.assertGreater(self.sluice.stat("cluster.up.upstream_cx_http2_total"), 20)


def echoServer():
    """A gRPC server with a method of each kind; (server, port)."""
    import grpc

    def fail(request, context):
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "no – not you")

    def slow(request, context):
        threading.Event().wait(5)
        return b""

    methods = {
        "Unary": grpc.unary_unary_rpc_method_handler(lambda r, c: b"re:" + r),
        "Down": grpc.unary_stream_rpc_method_handler(lambda r, c: (r + b"%d" % i for i in range(100))),
        "Up": grpc.stream_unary_rpc_method_handler(lambda rs, c: b"%d" % sum(len(r) for r in rs)),
        "Both": grpc.stream_stream_rpc_method_handler(lambda rs, c: (b"re:" + r for r in rs)),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
    }
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


class HaproxyTest(UpstreamCase):
    def test_requests_of_http1_go_on_by_http2_with_and_without_tls(self):
        haproxy = self.start(Haproxy(self.scratch))
        ca = {"common_tls_context": {"validation_context": {"trusted_ca": {"filename": self.scratch.join("cert.pem")}}}}
        secure = protocol(auto_config={}, upstream_http_protocol_options={"auto_sni": True, "auto_san_validation": True})
        port = self.proxy(cluster("up", haproxy.plain, **http2()), cluster("tls", haproxy.secure, **secure, **tls(**ca)))

        body = b"x" * 10000
        answers = [
            get(port, host="up.test").body,
            get(port, "/tls", host="up.test").body,
            request(port, "POST", "/tls", headers=[("host", "other.test")], body=body).body,
        ]

        self.assertEqual(answers, [b"HTTP/2.0 GET 0", b"HTTP/2.0 GET up.test0", b"HTTP/2.0 POST other.test10000"])
        self.assertEqual(request(port, "HEAD", "/", headers=[("host", "up.test")]).status, 200)
        self.assertEqual(get(port, "/tls", host="wrong.test").status, 503)


class GrpcTest(UpstreamCase):
    def setUp(self):
        super().setUp()
        import grpc

        server, port = echoServer()
        self.addCleanup(lambda: server.stop(0).wait())
        proxy_port = self.proxy(cluster("up", port, **http2()))
        self.channel = grpc.insecure_channel(f"127.0.0.1:{proxy_port}")
        self.addCleanup(self.channel.close)

    def test_all_kinds_of_calls_pass(self):
        unary = self.channel.unary_unary("/test.Echo/Unary")
        down = self.channel.unary_stream("/test.Echo/Down")
        up = self.channel.stream_unary("/test.Echo/Up")
        both = self.channel.stream_stream("/test.Echo/Both")

        self.assertEqual(unary(b"hello", timeout=10), b"re:hello")
        self.assertEqual(list(down(b"m", timeout=10)), [b"m%d" % i for i in range(100)])
        self.assertEqual(up(iter([b"x" * 1000] * 1000), timeout=20), b"1000000")
        answers = both(iter([b"a", b"b" * 100000, b"c"]), timeout=10)
        self.assertEqual([len(answer) for answer in answers], [4, 100003, 4])

    def test_messages_go_both_ways_while_the_call_is_open(self):
        ready = threading.Semaphore(1)

        def ask():
            for i in range(20):
                ready.acquire()
                yield b"%d" % i

        seen = []
        for answer in self.channel.stream_stream("/test.Echo/Both")(ask(), timeout=10):
            seen.append(answer)
            ready.release()
        self.assertEqual(seen, [b"re:%d" % i for i in range(20)])

    def test_an_error_without_a_message_and_a_deadline_come_through(self):
        import grpc

        with self.assertRaises(grpc.RpcError) as failed:
            self.channel.unary_unary("/test.Echo/Fail")(b"", timeout=10)
        self.assertEqual(failed.exception.code(), grpc.StatusCode.PERMISSION_DENIED)
        self.assertEqual(failed.exception.details(), "no – not you")
        with self.assertRaises(grpc.RpcError) as late:
            self.channel.unary_unary("/test.Echo/Slow")(b"", timeout=0.3)
        self.assertEqual(late.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_many_calls_at_once_share_one_connection(self):
        unary = self.channel.unary_unary("/test.Echo/Unary")
        calls = [unary.future(b"%d" % i, timeout=20) for i in range(500)]

        self.assertEqual([call.result() for call in calls], [b"re:%d" % i for i in range(500)])
        self.assertLessEqual(self.sluice.stat("cluster.up.upstream_cx_http2_total"), 5)


if __name__ == "__main__":
    unittest.main()
