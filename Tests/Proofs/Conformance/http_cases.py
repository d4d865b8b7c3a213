# Requests that two programs could read differently (RFC 9112 3, 5, 6, 7 and 11.2), each with a second request hidden in it: they are
# refused with one answer and the connection's end, and neither request ever takes effect. Those that are only unusual are read as the
# RFC has it, and the hidden request is no request. What is wrong with a request line or a head by itself stands in http_heads.py.
from harness import Connection, expect, parse_answers
from http_heads import heads, lines

HOST = "Host: a\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
# The statuses that docs/protocol/clients.md documents for requests that can't be taken as they are.
LENGTH_REQUIRED, TOO_LARGE, NOT_IMPLEMENTED = 411, 413, 501


def hidden(victim):
    """A request that would take effect."""
    return f"POST /v1/users/{victim}/messages HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\nstole"


def post(headers, body="hello", version="1.1"):
    """The text of a publish; the target is filled in for each port."""
    return f"POST TARGET HTTP/{version}\r\n{HOST}{headers}\r\n{body}"


def lengths():
    """Content-Length (RFC 9112 6.2 and 6.3): name, request, statuses."""
    yield "two equal lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n"), [400]
    yield "two different lengths", post("Content-Length: 5\r\nContent-Length: 0\r\n"), [400]
    yield "two different lengths, the other way round", post("Content-Length: 0\r\ncontent-length: 5\r\n"), [400]
    for value in [
        "5, 5", "5,5", "5, 6", "5,", ",5", "+5", "-5", "-0", "0x5", "5 5", "5.0", "5e0", "05e", "", " ", "five", "5;", "\"5\"",
        "(5)", "5\t5", "\u0665", "\u00b2", "5\u00a0", "1_0", "00000000000000000005", "18446744073709551621",
        "18446744073709551616", "9" * 40,
    ]:
        yield f"Content-Length: {value!r}", post(f"Content-Length: {value}\r\n"), [400]
    for value in ["65537", "4294967301", "9223372036854775807", "9223372036854775813", "9999999999999999999"]:
        # 64 bits and a sign are not what the number overflows into.
        yield f"Content-Length: {value}", post(f"Content-Length: {value}\r\n"), [TOO_LARGE]
    yield "no length at all", post(""), [LENGTH_REQUIRED]
    yield "Content_Length", post("Content_Length: 5\r\n"), [LENGTH_REQUIRED]
    for name in [
        "Content-Length ", "Content-Length\t", " Content-Length", "\tContent-Length", "X: a\r\n Content-Length", "Content-Length\0",
        "X: a\nContent-Length", "X: a\rContent-Length", "X: a\r\r\nContent-Length", "X\r\nContent-Length", "X: a\0\r\nContent-Length",
    ]:
        yield f"the header {name!r}: 5", post(f"{name}: 5\r\n"), [400]
    yield "a length that is folded", post("Content-Length:\r\n 5\r\n"), [400]
    yield "a length that goes on folded", post("Content-Length: 5\r\n 0\r\n"), [400]
    yield "a length and a bare LF", post("Content-Length: 5\n"), [400]
    yield "a length and a bare CR", post("Content-Length: 5\r"), [400]
    yield "headers that end with two LF", f"POST TARGET HTTP/1.1\n{HOST[:-2]}\nContent-Length: 5\n\nhello", [400]
    yield "headers that end with CR LF LF", f"POST TARGET HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\nhello", [400]
    yield "headers that end with CR LF CR", f"POST TARGET HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\rhello", [400]


def codings():
    """Transfer-Encoding (6.1 and 6.3): where chunked is not the last coding, nobody knows where the body ends."""
    body = "5\r\nhello\r\n0\r\n\r\n"
    for value in [
        "identity", "gzip", "chunked, identity", "chunked, gzip", "xchunked", "chunkedx", "chunk", "\"chunked\"", "'chunked'", "",
        "chunked;q=1", "chunked chunked", "chunked\t,identity", "chunked identity", "x", "chun ked", "chunked\u00a0", "chunked\u0085",
    ]:
        yield f"Transfer-Encoding: {value!r}", post(f"Transfer-Encoding: {value}\r\n", body), [400]
    for value in ["chunked, chunked", "chunked,chunked", "identity, chunked", "gzip, chunked", "chunked,", ",chunked", "x, chunked"]:
        yield f"Transfer-Encoding: {value!r} (400 or 501)", post(f"Transfer-Encoding: {value}\r\n", body), [400, NOT_IMPLEMENTED]
    for value in [
        "chunked\0", "\0chunked", "\x0bchunked", "chunked\x0b", "chunked\x0c", "\x7fchunked", "chunked\r", "chunked\n", "\nchunked",
    ]:
        yield f"Transfer-Encoding: {value!r}", post(f"Transfer-Encoding: {value}\r\n", body), [400]
    for first, second in [("chunked", "identity"), ("chunked", "gzip"), ("chunked", "")]:
        headers = f"Transfer-Encoding: {first}\r\nTransfer-Encoding: {second}\r\n"
        yield f"two codings, {first!r} and {second!r}", post(headers, body), [400]
    for first, second in [("chunked", "chunked"), ("identity", "chunked")]:
        headers = f"Transfer-Encoding: {first}\r\nTransfer-Encoding: {second}\r\n"
        yield f"two codings, {first!r} and {second!r} (400 or 501)", post(headers, body), [400, NOT_IMPLEMENTED]
    for name in [
        "Transfer-Encoding ", "Transfer-Encoding\t", " Transfer-Encoding", "X: a\r\n\tTransfer-Encoding", "Transfer-Encoding\0",
        "X: a\nTransfer-Encoding", "X: a\rTransfer-Encoding", "X\r\nTransfer-Encoding",
    ]:
        yield f"the header {name!r}: chunked", post(f"{name}: chunked\r\n", body), [400]
        yield f"a length and the header {name!r}: chunked", post(f"Content-Length: 5\r\n{name}: chunked\r\n", body), [400]
    yield "a coding that is folded", post("Transfer-Encoding:\r\n chunked\r\n", body), [400]
    for value in ["chunked", "identity", "x", " chunked", "Chunked", "chunked, identity"]:
        headers = f"Transfer-Encoding: {value}\r\n"
        for length in ["0", "5", str(len(body))]:
            yield f"a length of {length} and Transfer-Encoding: {value}", post(f"Content-Length: {length}\r\n{headers}", body), [400]
            yield f"Transfer-Encoding: {value} and a length of {length}", post(f"{headers}Content-Length: {length}\r\n", body), [400]
    yield "Transfer-Encoding in HTTP/1.0", post(CHUNKED, body, "1.0"), [400]
    yield "Transfer-Encoding in HTTP/1.0 that stays", post(f"Connection: keep-alive\r\n{CHUNKED}", body, "1.0"), [400]
    yield "Transfer-Encoding and a length in HTTP/1.0", post(f"Content-Length: 5\r\n{CHUNKED}", body, "1.0"), [400]


def chunks():
    """Chunked bodies (7.1)."""
    for size in [
        "", " ", "x", "g", "+5", "-5", "-0", "0x5", "0X5", " 5", "\t5", "5 ", "5\t", "5 5", "5,", "5.0", "\"5\"", "5h", "5 x", "5\r", "5=a",
        "00000000000000005", "10000000000000005", "100000000000000000", "5\0", "5\x0b", "\u0665",
    ]:
        yield f"the chunk size {size!r}", post(CHUNKED, f"{size}\r\nhello\r\n0\r\n\r\n"), [400]
    for size in ["1000000", "7fffffff", "80000000", "FFFFFFFF", "100000005", "7fffffffffffffff", "8000000000000005", "FFFFFFFFFFFFFFFF"]:
        yield f"the chunk size {size}", post(CHUNKED, f"{size}\r\nhello\r\n0\r\n\r\n"), [TOO_LARGE]
    yield "a second chunk that overflows", post(CHUNKED, "5\r\nhello\r\nFFFFFFFFFFFFFFFB\r\nhello\r\n0\r\n\r\n"), [TOO_LARGE]
    for name, body in {
        "a size and a bare LF": "5\nhello\r\n0\r\n\r\n",
        "a size and a bare CR": "5\rhello\r\n0\r\n\r\n",
        "a size and CR CR LF": "5\r\r\nhello\r\n0\r\n\r\n",
        "an extension and a bare LF": "5;a=b\nhello\r\n0\r\n\r\n",
        "an extension and a bare CR": "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "an extension with NUL": "5;a=\0\r\nhello\r\n0\r\n\r\n",
        "an extension of 300 bytes": f"5;{'a' * 300}\r\nhello\r\n0\r\n\r\n",
        "extensions of 8 KiB together": "".join(f"1;{'a' * 200}\r\nx\r\n" for _ in range(40)) + "0\r\n\r\n",
        "data and no CR LF": "5\r\nhello0\r\n\r\n",
        "data and a bare LF": "5\r\nhello\n0\r\n\r\n",
        "data and a bare CR": "5\r\nhello\r0\r\n\r\n",
        "data and LF CR": "5\r\nhello\n\r0\r\n\r\n",
        "data that is longer than its chunk": "5\r\nhello!\r\n0\r\n\r\n",
        "data that is shorter than its chunk": "6\r\nhello\r\n0\r\n\r\n",
        "a last chunk and a bare LF": "5\r\nhello\r\n0\n\r\n",
        "a last chunk and two LF": "5\r\nhello\r\n0\n\n",
        "an end with a bare LF": "5\r\nhello\r\n0\r\n\n",
        "an end with a bare CR": "5\r\nhello\r\n0\r\n\rX",
        "a trailer without a colon": "0\r\nX\r\n\r\n",
        "a trailer without a name": "0\r\n: a\r\n\r\n",
        "a trailer that is folded": "0\r\nX: a\r\n b\r\n\r\n",
        "a trailer with a space before its colon": "0\r\nX : a\r\n\r\n",
        "a trailer with a bare LF": "0\r\nX: a\nY: b\r\n\r\n",
        "a trailer with a bare CR": "0\r\nX: a\rY: b\r\n\r\n",
        "a trailer with NUL": "0\r\nX: \0\r\n\r\n",
        "a request line as a trailer": "0\r\nPOST /v1/users/a/messages HTTP/1.1\r\n\r\n",
    }.items():
        yield name, post(CHUNKED, body), [400]
    yield "trailers of 8 KiB", post(CHUNKED, "0\r\n" + "X: y\r\n" * 1400 + "\r\n"), [431]
    yield "a trailer of 8 KiB", post(CHUNKED, f"0\r\nX: {'y' * 8192}\r\n\r\n"), [431]
    for extension in ["\"", "a=\"b", "a=\"b\"c", "a=", "=b", "a b", "a=b c", "a;;b", "a=\"\\\"", "a\x80"]:
        # 7.1.1: no chunk-ext; a program that reads quotes and one that looks for CR LF would end the line in different places.
        yield f"the extension {extension!r}", post(CHUNKED, f"5;{extension}\r\nhello\r\n0\r\n\r\n"), [400]


def refused(node, port, request, statuses, way):
    """One answer, the end, and nothing done."""
    user, victim = node.name("user"), node.name("victim")
    target = f"/v1/users/{user}/messages" if port == "API" else f"/v1/poll?user={user}&wait=0"
    text = (request + hidden(victim)).replace("TARGET", target)
    # A character is a byte, unless there is none for it.
    data = text.encode("latin-1") if max(text) <= "\u00ff" else text.encode()
    with Connection(node.api if port == "API" else node.client) as connection:
        connection.send(data, way)
        answers = parse_answers(connection.receive_to_end())
    expect(len(answers) == 1, "one answer", [answer.status for answer in answers])
    expect(answers[0].status in statuses, f"{statuses}", f"{answers[0].status} {answers[0].body!r}")
    expect(answers[0].headers.get("connection", "").lower() == "close", "Connection: close", answers[0].headers)
    expect(not node.is_written(user), "nothing appended for the user", "a message")
    expect(not node.is_written(victim), "nothing appended for whom the hidden request names", "a message")


def cases(node):
    for section, attacks in [("6.3", lengths), ("6.1", codings), ("7.1", chunks), ("3", lines), ("5", heads)]:
        for name, request, statuses in attacks():
            for port in ["API", "client"]:
                for way in [False, True] if len(request) < 2000 else [False]:
                    yield (
                        f"{section} {name}: refused at the {port} port{', in single bytes' if way else ''}",
                        lambda port=port, request=request, statuses=statuses, way=way: refused(node, port, request, statuses, way))
