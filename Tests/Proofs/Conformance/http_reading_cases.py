# Requests that are whole, but hide another one where a careless reader would find it, and those that only look odd: they are read as RFC
# 9112 has it. What is hidden is never answered and never takes effect; what follows on the connection is read as what it is.
import time

from harness import SECONDS_MAX, Connection, expect, parse_answers
from http_cases import CHUNKED, HOST, hidden, post

# The next request, with which the connection ends.
PROBE = {
    "API": "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "client": "GET /v1/locate?user=a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
}


class Visit:
    """A connection to one of the ports, whose user and victim nobody else has."""

    def __init__(self, node, port):
        self.node, self.port = node, port
        self.user, self.victim = node.name("user"), node.name("victim")
        self.target = f"/v1/users/{self.user}/messages" if port == "API" else f"/v1/poll?user={self.user}&wait=0"
        self.connection = Connection(node.api if port == "API" else node.client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.__exit__()

    def send(self, text):
        self.connection.send(text.replace("TARGET", self.target).replace("VICTIM", hidden(self.victim)).encode("latin-1"))

    def check(self, is_written):
        """What has taken effect: at the client port nothing can."""
        expect(not self.node.is_written(self.victim), "nothing appended for whom the hidden request names", "a message")
        is_right = self.node.is_written(self.user) == (is_written and self.port == "API")
        expect(is_right, f"the outer message {'appended' if is_written else 'not appended'}", "the opposite")


def read(node, port, request, statuses, is_written):
    """One answer, and the connection goes on with the next request."""
    with Visit(node, port) as visit:
        visit.send(request + PROBE[port])
        answers = [answer for answer in parse_answers(visit.connection.receive_to_end()) if answer.status != 100]
        expect(len(answers) == 2 and answers[1].status == 200, "an answer, and one to the next request", [a.status for a in answers])
        allowed = statuses if port == "API" else [200, 404, 405]
        expect(answers[0].status in allowed, f"{allowed}", f"{answers[0].status} {answers[0].body!r}")
        visit.check(is_written)


def read_or_refused(node, port, request):
    """Where the RFC lets a server choose: read as it is, or 400 and the end."""
    with Visit(node, port) as visit:
        visit.send(request + PROBE[port])
        statuses = [answer.status for answer in parse_answers(visit.connection.receive_to_end())]
        expect(statuses == [400] or len(statuses) == 2 and statuses[1] == 200, "400, or two answers", statuses)
        visit.check(statuses[0] == 200)


def body(text):
    """With its length."""
    return f"Content-Length: {len(text)}\r\n\r\n{text}"


def hiding():
    """Bodies and other places that hold a request: name, request around the hidden one, statuses at the API port, whether it is
    written."""
    last = "0\r\n\r\n"
    start = f"POST TARGET HTTP/1.1\r\n{HOST}"
    get_chunks = f"GET TARGET HTTP/1.1\r\n{HOST}{CHUNKED}\r\n"
    yield "a request in a body", lambda v: f"{start}{body(v)}", [200], True
    yield "a request in a chunk", lambda v: post(CHUNKED, f"{len(v):x}\r\n{v}\r\n0\r\n\r\n"), [200], True
    yield "a chunk for each byte of a request", lambda v: post(CHUNKED, "".join(f"1\r\n{b}\r\n" for b in v) + "0\r\n\r\n"), [200], True
    yield "the end of a chunked body in a body", lambda v: f"{start}{body(last + v)}", [200], True
    yield "a request in the body of a GET", lambda v: f"GET TARGET HTTP/1.1\r\n{HOST}{body(v)}", [200], False
    yield "a request in the chunks of a GET", lambda v: f"{get_chunks}{len(v):x}\r\n{v}\r\n{last}", [200], False
    for method in ["DELETE", "OPTIONS", "OTHER"]:
        yield f"a request in the body of {method}", lambda v, m=method: (
            f"{m} TARGET HTTP/1.1\r\n{HOST}{body(v)}"), [200, 204, 405, 501], False
    yield "a request in an extension", lambda v: post(
        CHUNKED, f"5;a=\"{v.splitlines()[0]}\"\r\nhello\r\n0\r\n\r\n"), [200], True
    yield "a request in a header", lambda v: post(f"X: {v.splitlines()[0]}\r\nContent-Length: 5\r\n"), [200], True
    yield "a request in an expected body", lambda v: f"{start}Expect: 100-continue\r\n{body(v)}", [200], True
    yield "Connection that names Content-Length", lambda v: f"{start}Connection: Content-Length\r\n{body(v)}", [200], True
    yield "Connection that names Transfer-Encoding", lambda v: post(
        "Connection: Transfer-Encoding\r\n" + CHUNKED, f"{len(v):x}\r\n{v}\r\n0\r\n\r\n"), [200], True
    yield "an upgrade to h2c", lambda v: (
        f"{start}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n{body(v)}"
    ), [200], True
    yield "headers that other servers take for a length", lambda v: (
        f"{start}X-Content-Length: 0\r\nContent_Length: 0\r\nContentLength: 0\r\nTransfer_Encoding: chunked\r\n"
        f"X-Transfer-Encoding: chunked\r\nTE: chunked\r\nX-HTTP-Method-Override: GET\r\n{body(v)}"), [200], True


def odd():
    """Odd but valid: name, request."""
    end = "5\r\nhello\r\n0\r\n\r\n"
    for value in ["chunked", "Chunked", "CHUNKED", " chunked", "\tchunked\t", "   chunked   "]:
        yield f"Transfer-Encoding:{value!r}", post(f"Transfer-Encoding:{value}\r\n", end)
    for size in ["05", "0005", "0000000000000005"]:
        yield f"the chunk size {size}", post(CHUNKED, f"{size}\r\nhello\r\n00\r\n\r\n")
    for extension in [";a", ";a=b", " ; a = b", ";a=\"b;c\"", ";a=\"\\\"\";b"]:
        yield f"the extension {extension!r}", post(CHUNKED, f"5{extension}\r\nhello\r\n0{extension}\r\n\r\n")
    for value in ["005", " 5 ", "\t5\t", "0000000000000000005"]:
        yield f"Content-Length:{value!r}", post(f"Content-Length:{value}\r\n")
    for host in ["a:80", "a:", "[::1]:8080", "a.localhost", "127.0.0.1"]:
        yield f"Host: {host}", post("Content-Length: 5\r\n").replace("Host: a", f"Host: {host}")
    yield "an absolute target", post("Content-Length: 5\r\n").replace("TARGET", "http://aTARGET")
    yield "an empty line in front", "\r\n" + post("Content-Length: 5\r\n")
    yield "names of headers in any case", post("cOnTeNt-LeNgTh: 5\r\n")
    yield "bytes from 128 on in a value", post("X: \xe4\xf6\x80\r\nContent-Length: 5\r\n")


def choices():
    """The RFC lets a server choose: name, request."""
    # 9112 3.2.2: the target counts and Host is passed over. To refuse what names two hosts is safe as well.
    for host in ["b", "a:81", "victim.example"]:
        request = post("Content-Length: 5\r\n").replace("TARGET", "http://aTARGET").replace("Host: a", f"Host: {host}")
        yield f"3.2.2 an absolute target and Host: {host} (Host passed over, or 400)", request
    for trailer in [
        "Content-Length: 50", "Transfer-Encoding: chunked", "Host: b", "Idempotency-Key: a", "Connection: close", "X: POST / HTTP/1.1",
    ]:
        # 9110 6.5.1: what frames or routes a message is no trailer; it is dropped, or refused.
        yield f"7.1.2 the trailer {trailer} (dropped, or 400)", post(CHUNKED, f"5\r\nhello\r\n0\r\n{trailer}\r\n\r\n")


def ends(node, port, request, statuses, is_written):
    """Answers, the end, and nothing of what follows."""
    with Visit(node, port) as visit:
        visit.send(request + "VICTIM")
        answers = parse_answers(visit.connection.receive_to_end())
        allowed = statuses if port == "API" else [[404 if status == 200 else status for status in statuses], [405, *statuses[1:]]]
        came = [answer.status for answer in answers]
        expect(came == allowed or came in allowed, f"{allowed}", came)
        expect(answers[-1].headers.get("connection", "").lower() == "close", "Connection: close", answers[-1].headers)
        visit.check(is_written)


def cut(node, port, request):
    """The client ends in the middle: what had not arrived never happened."""
    with Visit(node, port) as visit:
        visit.send(request)
        visit.connection.finish()
        parse_answers(visit.connection.receive_to_end())
        visit.check(False)


def cases(node):
    for port in ["API", "client"]:
        for name, request, statuses, is_written in hiding():
            yield f"11.2 {name}: is no request at the {port} port", lambda port=port, request=request, statuses=statuses, w=is_written: (
                hidden_read(node, port, request, statuses, w))
        for name, request in odd():
            yield f"6 {name}: read at the {port} port", lambda port=port, request=request: read(node, port, request, [200], True)
        for name, request in choices():
            yield f"{name} at the {port} port", lambda port=port, request=request: read_or_refused(node, port, request)
        good = post("Content-Length: 5\r\n")
        for name, request, statuses in [
            ("9.6 Connection: close", post("Connection: close\r\nContent-Length: 5\r\n"), [200]),
            ("9.6 Connection: x, Close", post("Connection: x, Close\r\nContent-Length: 5\r\n"), [200]),
            ("9.3 HTTP/1.0", post("Content-Length: 5\r\n", version="1.0"), [200]),
            ("9.3.2 a good request, and a bare LF", f"{good}GET / HTTP/1.1\n\n", [200, 400]),
            ("9.3.2 a good request, and one with two lengths", good + post("Content-Length: 5\r\nContent-Length: 6\r\n"), [200, 400]),
            ("9.3.2 a good request, and its body's rest", good + "\r\n\r\n\r\nPOST", [200, 400]),
        ]:
            yield f"{name}: what follows is not read at the {port} port", lambda port=port, request=request, statuses=statuses: ends(
                node, port, request, statuses, True)
        for name, request in {
            "a head": "POST TARGET HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n",
            "a body": post("Content-Length: 5\r\n", "hell"),
            "a chunk": post(CHUNKED, "5\r\nhell"),
            "chunks without the last": post(CHUNKED, "5\r\nhello\r\n"),
            "a last chunk": post(CHUNKED, "5\r\nhello\r\n0\r\n"),
            "trailers": post(CHUNKED, "5\r\nhello\r\n0\r\nX: y\r\n"),
        }.items():
            yield f"8 {name} cut by the end: nothing is done at the {port} port", lambda port=port, request=request: cut(
                node, port, request)
    yield "the sockets of all cases are gone", lambda: as_before(node)


def as_before(node):
    """No socket of any case is left."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        lines = node.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").body.decode().splitlines()
        sockets = [line for line in lines if line.startswith("ringpost_sockets{")]
        if sockets and all(line.endswith(" 0") for line in sockets):
            return
        expect(time.monotonic() < deadline, "no open socket", sockets)
        time.sleep(0.1)


def hidden_read(node, port, request, statuses, is_written):
    """The hidden request needs the victim's name, so that its length is known."""
    with Visit(node, port) as visit:
        visit.send(request(hidden(visit.victim)) + PROBE[port])
        answers = [answer for answer in parse_answers(visit.connection.receive_to_end()) if answer.status != 100]
        came = [answer.status for answer in answers]
        allowed = statuses if port == "API" else [200, 204, 403, 404, 405]
        expect(len(came) == 2 and came[0] in allowed and came[1] == 200, f"{allowed}, and 200 to the next request", came)
        visit.check(is_written)

