"""Writes the Grafana dashboards of the chart, helm/dinggate/dashboards/*.json, from the tables below.

    scripts/dashboards.py           write them
    scripts/dashboards.py --check   exit 1 where they are not as written

A panel is (title, kind, unit, width, queries, what it says); a query is (expression, legend). A kind is `lines`, `areas`
(stacked), `stat` or `table`. $sel stands for the selection at the top of a dashboard, $app for its apps.
"""

import json
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "helm/dinggate/dashboards"
FAILED = 'rpc_grpc_status_code=~"UNAVAILABLE|INTERNAL|UNKNOWN|DEADLINE_EXCEEDED|DATA_LOSS"'
BROKEN = 'outcome=~"busy|unreachable|lost|garbled|deadline"'
LEFT = "((days_in_month() - day_of_month() + 1) * 86400 - hour() * 3600)"


def rate(metric, by="", match="", app=False):
    """The rate of a counter, or of a histogram's count, summed by some labels."""
    labels = ", ".join(filter(None, ["$sel", 'app=~"$app"' if app else "", match]))
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate({metric}{{{labels}}}[$__rate_interval]))"


def quantile(q, metric, by="", match="", app=False):
    group = f"{by}, le" if by else "le"
    return f"histogram_quantile({q}, {rate(f'{metric}_bucket', group, match, app)})"


def quantiles(metric, app=False):
    return [(quantile(q, metric, app=app), f"p{round(q * 100)}") for q in (0.5, 0.95, 0.99)]


RPC, ATTEMPT, WAIT = "rpc_server_duration_seconds", "dingtalk_client_duration_seconds", "dinggate_queue_wait_seconds"
MONTH = 'max by (app) (dinggate_month_calls{$sel, app=~"$app"})'
LIMIT = 'max by (app) (dinggate_month_calls_limit{$sel, app=~"$app"})'
PACE = 'sum by (app) (rate(dinggate_upstream_calls_total{$sel, app=~"$app"}[1d]))'

OVERVIEW = [
    ("Now", [
        ("Gateways", "stat", "none", 4, [("count(dinggate_build_info{$sel})", "")], "Gateways that are scraped."),
        ("RPCs", "stat", "reqps", 4, [(rate(f"{RPC}_count"), "")], "RPCs a second."),
        ("Failures", "stat", "percentunit", 4, [(f"({rate(f'{RPC}_count', match=FAILED)} or vector(0)) / {rate(f'{RPC}_count')}", "")],
         "RPCs that failed through no fault of their callers. Alert: DinggateErrorsHigh above 5 %."),
        ("p95", "stat", "s", 4, [(quantile(0.95, RPC), "")], "One in twenty RPCs takes this long or longer."),
        ("DingTalk calls per RPC", "stat", "none", 4, [(f"{rate('dinggate_upstream_calls_total')} / {rate(f'{RPC}_count')}", "")],
         "What an RPC costs of the month's calls, on average."),
        ("Connections", "stat", "none", 4, [("sum(dinggate_connections{$sel})", "")], "Open connections of callers."),
    ]),
    ("RPCs", [
        ("RPCs by method", "areas", "reqps", 12, [(rate(f"{RPC}_count", "rpc_method"), "{{rpc_method}}")], ""),
        ("RPCs that did not end with OK", "areas", "reqps", 12,
         [(rate(f"{RPC}_count", "rpc_grpc_status_code", 'rpc_grpc_status_code!="OK"'), "{{rpc_grpc_status_code}}")],
         "By code. What a code means to callers: docs/reference.md."),
        ("Latency", "lines", "s", 12, quantiles(RPC), "Of all RPCs; bulk RPCs take long by nature."),
        ("p95 by method", "lines", "s", 12, [(quantile(0.95, RPC, "rpc_method"), "{{rpc_method}}")], ""),
    ]),
    ("Callers", [
        ("RPCs by caller", "areas", "reqps", 8, [(rate(f"{RPC}_count", "caller"), "{{caller}}")],
         "Callers that the configuration does not name share `other`."),
        ("p95 by caller", "lines", "s", 8, [(quantile(0.95, RPC, "caller"), "{{caller}}")], ""),
        ("Turned away", "areas", "reqps", 8, [(rate("dinggate_rejected_total", "reason"), "{{reason}}")],
         "Before any work: overload and connections are the gateway's limits, the others are callers who may not."),
        ("Errors by caller and code", "table", "short", 24,
         [(f'sum by (caller, rpc_method, rpc_grpc_status_code) (increase({RPC}_count{{$sel, rpc_grpc_status_code!="OK"}}[$__range])) > 0', "")],
         "Who saw which error where, how often in the time shown."),
    ]),
]

UPSTREAM = [
    ("Now", [
        ("Attempts", "stat", "reqps", 4, [(rate(f"{ATTEMPT}_count", app=True), "")], "Attempts at DingTalk a second, token fetches among them."),
        ("Failures", "stat", "percentunit", 4, [(f"({rate(f'{ATTEMPT}_count', match=BROKEN, app=True)} or vector(0)) / {rate(f'{ATTEMPT}_count', app=True)}", "")],
         "Attempts that DingTalk did not answer as it should. Alert: DinggateUpstreamFailing above 20 %."),
        ("p95", "stat", "s", 4, [(quantile(0.95, ATTEMPT, app=True), "")], "One in twenty attempts takes this long or longer."),
        ("Month spent", "stat", "percentunit", 4, [(f"{MONTH} / {LIMIT}", "{{app}}")], "Of the app's calls in this month."),
        ("Open breakers", "stat", "none", 4, [('count(dinggate_breaker_open{$sel, app=~"$app"} > 0) or vector(0)', "")],
         "Operations that are left alone for a moment."),
        ("Waiting", "stat", "none", 4, [('sum(dinggate_queue_length{$sel, app=~"$app"})', "")], "Calls that wait for their turn."),
    ]),
    ("Calls", [
        ("Metered calls by operation", "areas", "reqps", 12, [(rate("dinggate_upstream_calls_total", "operation", app=True), "{{operation}}")],
         "DingTalk allows 20 a second of each operation and app."),
        ("Metered calls by app and generation", "areas", "reqps", 12,
         [(rate("dinggate_upstream_calls_total", "app, generation", app=True), "{{app}} {{generation}}")], ""),
        ("Attempts that did not succeed", "areas", "reqps", 12,
         [(rate(f"{ATTEMPT}_count", "outcome", 'outcome!="ok"', app=True), "{{outcome}}")],
         "By outcome. `refused` is an answer; unreachable, lost, garbled and busy are failures."),
        ("Latency", "lines", "s", 12, quantiles(ATTEMPT, app=True), "Of one attempt."),
        ("p95 by operation", "lines", "s", 12, [(quantile(0.95, ATTEMPT, "operation", app=True), "{{operation}}")], ""),
        ("Open breakers", "lines", "none", 12, [('max by (app, operation) (dinggate_breaker_open{$sel, app=~"$app"})', "{{app}} {{operation}}")],
         "1 while the operation is left alone; nothing otherwise."),
    ]),
    ("The month", [
        ("Calls of the month", "lines", "short", 12, [(MONTH, "{{app}}"), (LIMIT, "{{app}} limit")], "Of all replicas that share a store."),
        ("At the end of the month", "lines", "short", 12,
         [(f"{MONTH} + {PACE} * on () group_left () {LEFT}", "{{app}}"), (LIMIT, "{{app}} limit")],
         "At the pace of the last day. Alert: DinggateMonthBudgetForecast."),
    ]),
    ("Limits", [
        ("Throttled", "areas", "reqps", 12, [(rate("dinggate_throttled_total", "source, operation", app=True), "{{source}} {{operation}}")],
         "By the gateway: no place before the deadline. By DingTalk: somebody else uses the app, or a limit is set too high."),
        ("Waiting", "lines", "none", 12, [('max by (app) (dinggate_queue_length{$sel, app=~"$app"})', "{{app}}")],
         "The longest queue of a gateway. At limits.queue_max it refuses more."),
        ("Wait for a place", "lines", "s", 12, quantiles(WAIT, app=True), "How long calls waited for what DingTalk allows."),
        ("p95 of the wait by app", "lines", "s", 12, [(quantile(0.95, WAIT, "app", app=True), "{{app}}")], ""),
        ("Waiting to be sent", "lines", "none", 12, [("max (dingtalk_client_waiting_requests{$sel})", "")],
         "Requests of a gateway that wait for others to end, because DingTalk is slow or dingtalk.max_in_flight is low."),
    ]),
    ("Doubt", [
        ("Outcome unknown", "lines", "short", 12, [('sum by (app) (dinggate_outcome_unknown_total{$sel, app=~"$app"})', "{{app}}")],
         "Writes of which nobody knows whether DingTalk carried them out, since the gateways started. Each is a step up."),
        ("Codes that nobody knows", "table", "short", 12, [("sum by (operation, code) (dinggate_unmapped_errors_total{$sel}) > 0", "")],
         "Since the gateways started."),
    ]),
]

STATE = [
    ("Tokens", [
        ("Access tokens last", "lines", "s", 12, [('min by (app) (dinggate_token_expiry_seconds{$sel, app=~"$app"})', "{{app}}")],
         "Renewed token.refresh_ahead before the end; 0 where one is needed and cannot be had."),
        ("Fetches", "lines", "short", 12, [('sum by (app, result) (dinggate_token_refreshes_total{$sel, app=~"$app"})', "{{app}} {{result}}")],
         "Since the gateways started. Each is a step up."),
    ]),
    ("Cache", [
        ("Reads by origin", "areas", "reqps", 12, [(rate("dinggate_cache_requests_total", "result"), "{{result}}")],
         "hit and stale: from memory. joined: shared a call that was under way. miss: asked DingTalk."),
        ("Reads that cost no call", "lines", "percentunit", 12,
         [(f"{rate('dinggate_cache_requests_total', match='result!=' + chr(34) + 'miss' + chr(34))} / {rate('dinggate_cache_requests_total')}", "share")], ""),
    ]),
    ("Store and certificate", [
        ("Store", "lines", "none", 12, [("dinggate_store_up{$sel}", "{{instance}}")],
         "1 while the gateway reaches what replicas share. Without it, writes with a request_id are UNAVAILABLE."),
        ("Certificate lasts", "lines", "s", 12,
         [("dinggate_tls_certificate_expiry_timestamp_seconds{$sel} - time()", "{{instance}}")],
         "Of the gRPC port, where it speaks TLS. A step up is a renewal. Alert: DinggateCertificateExpiring below a week."),
    ]),
    ("Events", [
        ("Events", "areas", "reqps", 8, [(rate("dinggate_events_total", "type", app=True), "{{type}}")], "Pushed by DingTalk, a second."),
        ("Gaps", "lines", "short", 8, [('sum by (app, cause) (dinggate_event_gaps_total{$sel, app=~"$app"})', "{{app}} {{cause}}")],
         "Times that events may have been missed, since the gateways started. Each is a step up."),
        ("Watchers", "lines", "none", 8, [("sum by (instance) (dinggate_watchers{$sel})", "{{instance}}")], "Callers that watch events."),
    ]),
]

PROCESS = [
    ("Process", [
        ("Processor", "lines", "none", 8, [("rate(process_cpu_seconds_total{$sel}[$__rate_interval])", "{{instance}}")], "Cores."),
        ("Memory", "lines", "bytes", 8, [("process_resident_memory_bytes{$sel}", "{{instance}}")], "In RAM."),
        ("Up for", "lines", "s", 8, [("time() - process_start_time_seconds{$sel}", "{{instance}}")], "A step down is a restart."),
        ("File descriptors", "lines", "percentunit", 8, [("process_open_fds{$sel} / process_max_fds{$sel}", "{{instance}}")],
         "Each connection is one. Alert: DinggateFilesShort above 80 %."),
        ("Connections", "lines", "none", 8, [("dinggate_connections{$sel}", "{{instance}}")],
         "As even as max_connection_age makes it."),
        ("Threads", "lines", "none", 8, [("process_threads{$sel}", "{{instance}}")], ""),
    ]),
    ("Runtime", [
        ("Workers busy", "lines", "percentunit", 8,
         [("max by (instance) (rate(tokio_worker_busy_seconds_total{$sel}[$__rate_interval]))", "{{instance}}")],
         "The busiest one. Near 100 % the gateway needs more processor."),
        ("Tasks", "lines", "none", 8, [("tokio_alive_tasks{$sel}", "{{instance}}")], "Should follow the RPCs at work, and not only grow."),
        ("Tasks without a worker", "lines", "none", 8, [("tokio_global_queue_depth{$sel}", "{{instance}}")], ""),
        ("Versions", "table", "none", 24, [("count by (version) (dinggate_build_info{$sel})", "")], "What runs where."),
    ]),
]

DASHBOARDS = {
    "overview": ("dinggate / overview", OVERVIEW, False),
    "upstream": ("dinggate / DingTalk", UPSTREAM, True),
    "state": ("dinggate / tokens, cache, store, events", STATE, True),
    "process": ("dinggate / process", PROCESS, False),
}

HEIGHT = {"stat": 4, "lines": 8, "areas": 8, "table": 8}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SELECTION = 'namespace=~"$namespace", job=~"$job"'


def panel(number, title, kind, unit, width, queries, about, x, y):
    targets = [
        {"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": expression.replace("$sel", SELECTION), "legendFormat": legend or "__auto"}
        for i, (expression, legend) in enumerate(queries)
    ]
    made = {
        "id": number,
        "title": title,
        "description": about,
        "type": {"lines": "timeseries", "areas": "timeseries"}.get(kind, kind),
        "gridPos": {"x": x, "y": y, "w": width, "h": HEIGHT[kind]},
        "datasource": DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
    }
    if kind in ("lines", "areas"):
        stacked = kind == "areas"
        custom = {"fillOpacity": 30 if stacked else 0, "showPoints": "never", "stacking": {"mode": "normal" if stacked else "none"}}
        made["fieldConfig"]["defaults"]["custom"] = custom
        made["options"] = {
            "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    elif kind == "stat":
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none", "graphMode": "area"}
    else:
        for target in targets:
            target |= {"format": "table", "instant": True}
        made["transformations"] = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]
        made["options"] = {"showHeader": True, "sortBy": [{"displayName": "Value", "desc": True}]}
    return made


def layout(rows):
    """Rows one below the other, the panels of each from left to right."""
    number, y = 1, 0
    for title, panels in rows:
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
        number, x, y, height = number + 1, 0, y + 1, 0
        for entry in panels:
            if x + entry[3] > 24:
                x, y = 0, y + height
            yield panel(number, *entry, x, y)
            number, x, height = number + 1, x + entry[3], HEIGHT[entry[1]]
        y += height


def variable(name, metric):
    query = f"label_values({metric}, {name})"
    return {"name": name, "type": "query", "datasource": DATASOURCE, "definition": query, "query": {"query": query, "refId": name},
            "refresh": 2, "includeAll": True, "allValue": ".*", "multi": True, "current": {"text": "All", "value": "$__all"}, "sort": 1}


def dashboard(name):
    title, rows, apps = DASHBOARDS[name]
    variables = [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
    variables += [variable("namespace", "dinggate_build_info"), variable("job", "dinggate_build_info")]
    variables += [variable("app", "dinggate_queue_length")] if apps else []
    return {
        "uid": f"dinggate-{name}",
        "title": title,
        "tags": ["dinggate"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "title": "dinggate", "tags": ["dinggate"], "asDropdown": True, "keepTime": True, "includeVars": True}],
        "templating": {"list": variables},
        "panels": list(layout(rows)),
    }


def main():
    faults = 0
    TARGET.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        file, text = TARGET / f"{name}.json", json.dumps(dashboard(name), indent=2, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv:
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            print(f"{file} is not what scripts/dashboards.py writes: run make chart-docs", file=sys.stderr)
            faults = 1
    return faults


if __name__ == "__main__":
    sys.exit(main())
