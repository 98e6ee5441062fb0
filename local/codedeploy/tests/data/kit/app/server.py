"""An app as the kit expects it: HOST and PORT say where to listen, /healthz answers 200."""
import os
import pathlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ.get("VERSION") or pathlib.Path(__file__).with_name("version").read_text().strip()


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{VERSION} on {os.environ['GREENLIGHT_COLOUR']}".encode()
        self.send_response(500 if VERSION == "sick" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if VERSION == "broken":
    raise SystemExit("this version cannot start")
if VERSION == "greedy":
    EATEN = bytes(400 << 20)
ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answer).serve_forever()
