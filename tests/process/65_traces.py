#!/usr/bin/env python3
"""Traces as a collector gets them: an order is one, whoever began it; nothing personal is in it; and a collector that is gone keeps nobody waiting."""
import http.server
import re
import socket
import sys
import threading
import time

import lib
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

KIM = {"customerName": "Hong Gildong Nobodyelse", "customerAddress": "강릉시 고요한길 17", "phoneNumber": "010-9753-8642"}
TRACE, THEIRS = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ORDER = """
order: POST /orders
  order: order Place
    order: ask pay charge
      pay: answer charge
        pay: ask provider charge
        pay: payment Charge
          shop: policy OrderInfoUpdate
            shop: shopManagement NotePaid
          viewPage: view statusViews
    order: order Paid
      shop: policy ListedWhenEstablished
        shop: shopManagement NoteEstablished
      viewPage: view statusViews
    viewPage: view statusViews
"""
# The shop lists the order when the second of its halves is there, whichever that is, and the view shows that.
HALVES = [("NotePaid", "              viewPage: view statusViews"), ("NoteEstablished", "          viewPage: view statusViews")]
# However slow the machine is, what is asked is asked once.
PATIENT = {"JUMUN_ASKS_TRY": "20s", "JUMUN_ASKS_SLOW": "20s", "JUMUN_ASKS_DEADLINE": "30s", "JUMUN_ERRANDS_TRY": "10s"}


class Collector(http.server.ThreadingHTTPServer):
    """Takes traces in by OTLP over HTTP, and keeps them."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Taker)
        self.bodies = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self, trace=None):
        """(context, span), of that trace or of all."""
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
                assert service["service.namespace"] == "malltail", service
                for scope in resource.scope_spans:
                    yield from ((service["service.name"], span) for span in scope.spans if trace in (None, span.trace_id.hex()))

    def tree(self, trace):
        spans = list(self.spans(trace))
        known = {span.span_id for _, span in spans}

        def grow(parent, depth):
            children = [(context, span) for context, span in spans if parent(span.parent_span_id)]
            for context, span in sorted(children, key=lambda child: (child[0], child[1].name)):
                yield f"{'  ' * depth}{context}: {span.name}"
                yield from grow(lambda of: of == span.span_id, depth + 1)

        return list(grow(lambda of: of not in known, 0))


class Taker(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        assert self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf", (self.path, self.headers)
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def place(mall, port=8081, **head):
    answer = lib.call("POST", mall.url(port, "/orders"), {"itemNo": 1001, **KIM}, head)
    assert answer.status == 201, answer
    return answer


def about(span):
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


def wait_for_order(collector, trace):
    """Until that trace is an order's, whole."""
    wanted = [re.sub(f"(shopManagement {half}\n)", rf"\1{shown}\n", ORDER).strip().split("\n") for half, shown in HALVES]
    try:
        lib.eventually("an order's trace", lambda: collector.tree(trace) in wanted, seconds=30)
    except AssertionError:
        raise AssertionError("this is no order's trace:\n" + "\n".join(collector.tree(trace))) from None


def one_trace(collector, mall):
    answer = place(mall, traceparent=f"00-{TRACE}-{THEIRS}-01")
    wait_for_order(collector, TRACE)
    spans = list(collector.spans(TRACE))
    door, case = next(span for _, span in spans if span.name == "POST /orders"), f"order/{answer.json['id']}"
    assert answer.headers["traceparent"] == f"00-{TRACE}-{door.span_id.hex()}-01", answer.headers
    assert door.parent_span_id.hex() == THEIRS and door.kind == Span.SPAN_KIND_SERVER, door
    assert about(door)["http.response.status_code"] == 201, door
    for context, span in spans:
        assert (about(span)["jumun.case"], about(span)["jumun.context"]) == (case, context), span
        assert abs(span.start_time_unix_nano / 1e9 - time.time()) < 60 and span.start_time_unix_nano <= span.end_time_unix_nano, span
    commands = {span.name: about(span) for _, span in spans if span.kind == Span.SPAN_KIND_INTERNAL}
    assert {command["jumun.outcome"] for command in commands.values()} == {"done"}, commands
    print(f"ok  one order is one trace of {len(spans)} spans", flush=True)


def others(collector, mall):
    """Nobody began a trace: an order begins its own, through the gateway too, and a refusal is told by its code."""
    placed = place(mall, lib.GATEWAY)
    wait_for_order(collector, placed.headers["traceparent"].split("-")[1])
    row = mall.url(8083, f"/shopManagements/{placed.json['id']}")
    assert lib.call("PUT", f"{row}/acceptorder").status == 200
    refused = lib.call("PUT", f"{row}/rejectorder")
    assert refused.status == 409, refused
    trace = refused.headers["traceparent"].split("-")[1]
    lines = ["shop: PUT /shopManagements/{id}/rejectorder", "  shop: shopManagement Reject"]
    lib.eventually("the refusal", lambda: collector.tree(trace) == lines, seconds=15)
    told = next(about(span) for _, span in collector.spans(trace) if span.kind == Span.SPAN_KIND_INTERNAL)
    assert (told["jumun.outcome"], told["jumun.refusal"]) == ("refused", refused.json["code"]), told
    for _ in range(3):
        lib.call("GET", mall.url(8081, "/actuator/health"))


def traced():
    collector = Collector()
    with lib.up("malltail", env={"JUMUN_OTLP_ENDPOINT": collector.endpoint, **PATIENT}, binary="JUMUN_FULL_BIN") as mall:
        one_trace(collector, mall)
        others(collector, mall)
        last = place(mall).headers["traceparent"].split("-")[1]
    assert "order: POST /orders" in collector.tree(last), "what was under way at an orderly stop was not sent"
    names = {span.name for _, span in collector.spans()}
    assert not [name for name in names if "actuator" in name], names
    for secret in [*KIM.values(), "Gildong", "고요한길", "9753-8642"]:
        assert not any(secret.encode() in body for body in collector.bodies), f"{secret} was sent to the collector"
    print(f"ok  nothing personal in {sum(map(len, collector.bodies))} bytes", flush=True)


def collector_gone():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and nobody listens
        env = {**PATIENT, "JUMUN_OTLP_ENDPOINT": f"http://127.0.0.1:{nobody.getsockname()[1]}"}
        with lib.up("malltail", env=env, binary="JUMUN_FULL_BIN") as mall:
            for _ in range(20):
                place(mall)

            def lost():
                lines = lib.call("GET", mall.url(lib.OPERATORS, "/actuator/prometheus")).text.splitlines()
                return sum(float(line.split()[-1]) for line in lines if line.startswith("jumun_spans_lost_total"))

            lib.eventually("what is lost is counted", lambda: lost() > 100, seconds=20)
            place(mall)
            said = [line for line in mall.log.read_text().splitlines() if "traces are lost" in line]
            assert len(said) == 1 and env["JUMUN_OTLP_ENDPOINT"] in said[0], said
    print("ok  a collector that is gone keeps nobody waiting", flush=True)


if __name__ == "__main__":
    try:
        traced()
        collector_gone()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
