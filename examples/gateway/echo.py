#!/usr/bin/python3
"""A service that answers with what it was asked, as JSON. `?sleep=3` answers after three seconds.

    echo.py --listen 127.0.0.1:8081
"""
import argparse
import http.server
import json
import threading
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body together

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        time.sleep(float(query.get("sleep", ["0"])[0]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"method": self.command, "path": self.path, "headers": headers, "body": body.decode(errors="replace")}
        text = json.dumps(told, indent=1).encode() + b"\n"
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.send_header("x-powered-by", "python")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer

    def log_message(self, *arguments):
        pass


class Service:
    """Serves from its making until stop()."""

    def __init__(self, host="127.0.0.1", port=0):
        self.server = http.server.ThreadingHTTPServer((host, port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:8081")
    host, _, port = parser.parse_args().listen.rpartition(":")
    try:
        Service(host, int(port)).thread.join()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
