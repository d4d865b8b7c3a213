# What is done with one server: each function starts from a server that has just been started, and returns what the load generator has
# seen. Every one is the same for all servers.
PUBLISHERS, WINDOW = 4, 64
# "5,000 a second": a kernel that ticks 250 times a second ticks at each twentieth message then, in a whole run or never, as its beginning
# falls, and a message that meets the tick takes twice as long. At this rate every run meets it at all its phases.
PACED = 4_993
IDLE = 10_000


def options_for(server, transport="websocket", is_channel=False, **more):
    pids = ",".join(str(pid) for pid in server.pids)
    return {**server.subscribing(transport, is_channel), **server.publishing(is_channel), "pids": pids, "settle": 100, **more}


def unicast(bench, server):
    """1,000 users with a socket each; four connections publish to users at random, 64 unanswered on each."""
    options = options_for(server, sockets=1_000, publishers=PUBLISHERS, window=WINDOW)
    return bench.run_load(options, seconds=bench.pick(0.8, 4), warmup=bench.pick(0.3, 1))


def paced(bench, server):
    """The same at 5,000 a second, evenly: how long a message takes when there is no queue."""
    options = options_for(server, sockets=1_000, publishers=PUBLISHERS, rate=PACED)
    return bench.run_load(options, seconds=bench.pick(1.2, 6), warmup=bench.pick(0.4, 1))


def fan_out(sockets, transport):
    """One channel, to which all sockets listen; one connection publishes, and four messages have not reached everybody."""

    def run(bench, server):
        options = options_for(server, transport, is_channel=True, sockets=sockets, keys=1, publishers=1, window=4, undelivered=4)
        return bench.run_load(options, seconds=bench.pick(0.8, 4), warmup=bench.pick(0.3, 1))

    return run


def idle(transport, is_warm):
    """Memory of sockets that nothing is sent to: of all of them, or of those that come when the first tenth is there already."""

    def run(bench, server):
        warm = IDLE // 10 if is_warm else 0
        options = options_for(server, transport, sockets=IDLE + warm, warm_sockets=warm)
        return bench.run_load(options, settle=bench.pick(500, 2_000))

    return run


def connecting(bench, server):
    """Connections with their upgrade, 256 under way at once; each user's mailbox is attached when it counts as connected."""
    count = bench.pick(5_000, 10_000)
    return bench.run_load(options_for(server, sockets=count + 1_000, warm_sockets=1_000))


# Name → (how, which transport the server must have, whether quick runs do it once only).
MEASUREMENTS = {
    "unicast": (unicast, "websocket", False),
    "fan-out 1,000": (fan_out(1_000, "websocket"), "websocket", False),
    "fan-out 10,000": (fan_out(10_000, "websocket"), "websocket", True),
    "stream fan-out 1,000": (fan_out(1_000, "sse"), "sse", False),
    "stream fan-out 10,000": (fan_out(10_000, "sse"), "sse", False),
    "paced": (paced, "websocket", False),
    "idle": (idle("websocket", False), "websocket", True),
    "idle, warm": (idle("websocket", True), "websocket", True),
    "idle streams": (idle("sse", False), "sse", True),
    "idle streams, warm": (idle("sse", True), "sse", True),
    "connecting": (connecting, "websocket", False),
}
