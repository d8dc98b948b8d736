"""What one trace from a client program through the gateway to DingTalk has to look like."""

RPC = "dinggate.group.v1.GroupService/CreateGroup"
FETCH = "dingtalk auth.access_token.get"
CREATE = "dingtalk group.create"
# The gateway's spans by their start, each with the place of its parent in this list: a token is fetched, DingTalk
# refuses it, another one is fetched, and the second attempt waits for its turn.
GATEWAY = [
    (RPC, "SERVER", None),
    ("token", "INTERNAL", 0),
    (FETCH, "CLIENT", 1),
    (CREATE, "CLIENT", 0),
    ("token", "INTERNAL", 0),
    (FETCH, "CLIENT", 4),
    ("queue", "INTERNAL", 0),
    (CREATE, "CLIENT", 0),
]


def faults(spans, trace_id, client):
    """A sentence for each thing that is wrong with the spans that were exported, sorted by their start."""
    if stray := [span.name for span in spans if span.trace_id != trace_id]:
        yield f"{stray} are in other traces"
    services = {span.service for span in spans}
    if services != {client, "dinggate"}:
        yield f"the services in the trace are {services}"
        return
    gateway = [span for span in spans if span.service == "dinggate"]
    names = [(span.name, span.kind) for span in gateway]
    if names != [(name, kind) for name, kind, _ in GATEWAY]:
        yield f"the gateway's spans are {names}"
        return
    for span, (_, _, parent) in zip(gateway, GATEWAY):
        if parent is not None and span.parent_id != gateway[parent].span_id:
            yield f"{span.name} is no child of {gateway[parent].name}"
    if [span.attributes.get("dinggate.attempt") for span in gateway if span.name == CREATE] != [1, 2]:
        yield "the attempts are not numbered 1 and 2"
    yield from client_faults([span for span in spans if span.service == client], gateway[0])


def client_faults(ours, server):
    """From the gateway's span up to the application's: some libraries have a span for each attempt in between."""
    known = {span.span_id: span for span in ours}
    way = []
    parent = known.get(server.parent_id)
    while parent and parent not in way:
        way.append(parent)
        parent = known.get(parent.parent_id)
    if not way:
        yield "the gateway's span is no child of the program's"
    elif way[-1].name != "open incident" or way[-1].parent_id:
        yield f"above the gateway are {[span.name for span in way]}, not up to the application's root span"
    elif not any(span.kind == "CLIENT" and "CreateGroup" in span.name for span in way):
        yield f"none of {[span.name for span in way]} is the client span of CreateGroup"
