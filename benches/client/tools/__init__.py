"""One file a tool: what it is installed from, how it is run, what it saw."""

from dataclasses import dataclass, field


@dataclass
class Seen:
    """What a client says of its run, failures left out; seconds."""

    ttft_s: dict = field(default_factory=dict)
    # The gaps between the tokens of a request, or their mean where the tool gives no more.
    itl_s: dict = field(default_factory=dict)
    # Whether the keys are the names that the server knows the requests by.
    named: bool = False
    # Of the thread that sends and receives, where the tool tells.
    client_cpu_s: float | None = None
    # Delay of its sends, median and 99th percentile, where the tool tells.
    lag_s: tuple | None = None
