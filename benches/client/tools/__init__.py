"""One file a tool: what it is installed from, how it is run, what it saw."""

from dataclasses import dataclass, field


@dataclass
class Seen:
    """What a client says of its run, failures left out; seconds. Where it knows its requests by the
    names that it sent, they are keys of the dictionaries; else they are mere numbers."""

    ttft_s: dict = field(default_factory=dict)
    # The gaps between the tokens of a request, or their mean where the tool gives no more.
    itl_s: dict = field(default_factory=dict)
    named: bool = False
    # CPU of the thread that sends and receives, where the tool tells.
    client_cpu_s: float | None = None
