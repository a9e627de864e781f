"""What a client says against what the server did."""

from dataclasses import dataclass


@dataclass
class Accuracy:
    """Milliseconds. TTFT bias is the client's figure minus the server's, which runs from the
    receipt of the request to the write of its first token. ITL error is the absolute difference
    of a gap between tokens."""

    ttft_p50: float
    ttft_p99: float
    bias_p50: float
    bias_p99: float
    itl_error_p50: float
    itl_error_p99: float
    matched: bool


def accuracy(seen, truths):
    """Request by request where the client knows the names of its requests, else (`matched` false)
    quantile by quantile."""
    matched = seen.named and all(name in truths for name in seen.ttft_s)
    if matched:
        biases = [ttft_s - truths[name].ttft_s for name, ttft_s in seen.ttft_s.items()]
        bias = [quantile(biases, share) for share in (0.5, 0.99)]
        # A server that writes several tokens at once has fewer gaps than tokens: nothing to compare.
        errors = [abs(ours - true) for name, gaps in seen.itl_s.items()
                  if len(gaps) == len(truths[name].itl_s)
                  for ours, true in zip(gaps, truths[name].itl_s)]
        error = [quantile(errors, share) for share in (0.5, 0.99)]
    else:
        true_ttft = [truth.ttft_s for truth in truths.values()]
        bias = differences(list(seen.ttft_s.values()), true_ttft)
        error = list(map(abs, differences(*alike(seen, truths))))
    ttft = [quantile(list(seen.ttft_s.values()), share) for share in (0.5, 0.99)]
    return Accuracy(*(1000 * value for value in (*ttft, *bias, *error)), matched)


def alike(seen, truths):
    """Gaps of the client and of the server, both as means of requests where the client has these
    alone."""
    ours = [gap for gaps in seen.itl_s.values() for gap in gaps]
    if len(ours) == len(seen.itl_s):
        return ours, [sum(truth.itl_s) / len(truth.itl_s) for truth in truths.values()]
    return ours, [gap for truth in truths.values() for gap in truth.itl_s]


def differences(ours, true):
    return [quantile(ours, share) - quantile(true, share) for share in (0.5, 0.99)]


def quantile(values, share):
    """Between the two nearest ranks, linearly."""
    values = sorted(values)
    if not values:
        return float("nan")
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


def median(values):
    return quantile(values, 0.5)
