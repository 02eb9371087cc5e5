"""Rate, errors and duration of a Python service: ASGI (FastAPI, Starlette, Django) and WSGI (Flask, Django).

    app = AsgiMetrics(app, service="agent-api", tenant_header="x-scope-orgid")
    app = WsgiMetrics(app, service="planner")

`GET /metrics` is answered by the middleware. The route is the framework's own pattern where it leaves one in the scope
or environment, else `unknown`: paths are as many as there are ids. No dependencies; safe across threads.
"""

import threading
import time

LATENCY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SERIES_MAX = 2000
METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _escape(value):
    return str(value).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _labels(pairs):
    return ",".join('%s="%s"' % (name, _escape(value)) for name, value in pairs)


class HttpMetrics:
    """Counts; at most SERIES_MAX combinations of labels, the rest under "other"."""

    def __init__(self, service):
        self.service = service
        self._lock = threading.Lock()
        self._requests = {}
        self._durations = {}
        self._in_flight = 0

    def begin(self):
        with self._lock:
            self._in_flight += 1
        return time.perf_counter()

    def end(self, start, tenant, route, method, status):
        seconds = time.perf_counter() - start
        method = method if method in METHODS else "other"
        with self._lock:
            self._in_flight -= 1
            key = (tenant, route, method, str(status))
            if key not in self._requests and len(self._requests) >= SERIES_MAX:
                key = ("other",) * 4
            self._requests[key] = self._requests.get(key, 0) + 1
            key = (tenant, route)
            if key not in self._durations and len(self._durations) >= SERIES_MAX:
                key = ("other",) * 2
            counts, total = self._durations.setdefault(key, ([0] * (len(LATENCY_SECONDS) + 1), [0.0]))
            index = next((i for i, bound in enumerate(LATENCY_SECONDS) if seconds <= bound), len(LATENCY_SECONDS))
            counts[index] += 1
            total[0] += seconds

    def text(self):
        out = [
            "# HELP http_requests_total Requests answered, by route and status.",
            "# TYPE http_requests_total counter",
        ]
        with self._lock:
            for (tenant, route, method, status), count in sorted(self._requests.items()):
                pairs = (("tenant_id", tenant), ("service", self.service), ("route", route), ("method", method), ("status", status))
                out.append("http_requests_total{%s} %d" % (_labels(pairs), count))
            out += [
                "# HELP http_request_duration_seconds Time to the end of the answer.",
                "# TYPE http_request_duration_seconds histogram",
            ]
            for (tenant, route), (counts, total) in sorted(self._durations.items()):
                pairs = (("tenant_id", tenant), ("service", self.service), ("route", route))
                running = 0
                for i, count in enumerate(counts):
                    running += count
                    bound = repr(LATENCY_SECONDS[i]) if i < len(LATENCY_SECONDS) else "+Inf"
                    out.append("http_request_duration_seconds_bucket{%s} %d" % (_labels(pairs + (("le", bound),)), running))
                out.append("http_request_duration_seconds_sum{%s} %r" % (_labels(pairs), total[0]))
                out.append("http_request_duration_seconds_count{%s} %d" % (_labels(pairs), running))
            out += [
                "# HELP http_requests_in_flight Requests being answered.",
                "# TYPE http_requests_in_flight gauge",
                "http_requests_in_flight{%s} %d" % (_labels((("service", self.service),)), self._in_flight),
            ]
        return "\n".join(out) + "\n"


class AsgiMetrics:
    def __init__(self, app, service, tenant_header="x-scope-orgid", path="/metrics"):
        self.app, self.path, self.tenant_header = app, path, tenant_header.lower().encode()
        self.metrics = HttpMetrics(service)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"] == self.path:
            body = self.metrics.text().encode()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", CONTENT_TYPE.encode())]})
            return await send({"type": "http.response.body", "body": body})
        tenant = next((v.decode("latin-1") for k, v in scope["headers"] if k.lower() == self.tenant_header), "")
        status = [500]

        async def observed(message):
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            await send(message)

        start = self.metrics.begin()
        try:
            await self.app(scope, receive, observed)
        finally:
            route = getattr(scope.get("route"), "path", None) or scope.get("path_pattern") or "unknown"
            self.metrics.end(start, tenant, route, scope["method"], status[0])


class WsgiMetrics:
    def __init__(self, app, service, tenant_header="x-scope-orgid", path="/metrics"):
        self.app, self.path = app, path
        self.tenant_key = "HTTP_" + tenant_header.upper().replace("-", "_")
        self.metrics = HttpMetrics(service)

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO") == self.path:
            start_response("200 OK", [("Content-Type", CONTENT_TYPE)])
            return [self.metrics.text().encode()]
        status = ["500"]

        def observed(line, headers, exc_info=None):
            status[0] = line.split(" ", 1)[0]
            return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

        start = self.metrics.begin()

        def finish():
            rule = environ.get("werkzeug.request")
            rule = getattr(getattr(rule, "url_rule", None), "rule", None) or environ.get("wsgi.route", "unknown")
            self.metrics.end(start, environ.get(self.tenant_key, ""), rule, environ.get("REQUEST_METHOD", ""), status[0])

        try:
            body = self.app(environ, observed)
        except BaseException:
            finish()
            raise
        return _Closing(body, finish)


class _Closing:
    """The answer ends when the server has taken its last piece, not when the application returned."""

    def __init__(self, body, finish):
        self.body, self.finish = body, finish

    def __iter__(self):
        return iter(self.body)

    def close(self):
        try:
            if hasattr(self.body, "close"):
                self.body.close()
        finally:
            self.finish()
