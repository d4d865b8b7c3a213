# What is wrong with a request line (RFC 9112 3) or a header (RFC 9112 5, RFC 9110 5 and 7.2) by itself. Each is followed by a request
# that would take effect, as all of http_cases.py.

HOST = "Host: a\r\n"
LENGTH = "Content-Length: 5\r\n"
BAD_REQUEST = [400]


def request(line="POST TARGET HTTP/1.1", host=HOST, headers="", length=LENGTH):
    return f"{line}\r\n{host}{headers}{length}\r\nhello"


def lines():
    """Request lines: name, request, statuses."""
    for line in [
        "POST  TARGET HTTP/1.1", "POST TARGET  HTTP/1.1", "POST\tTARGET HTTP/1.1", "POST TARGET\tHTTP/1.1", " POST TARGET HTTP/1.1",
        "\tPOST TARGET HTTP/1.1", "POST TARGET HTTP/1.1 ", "POST TARGET HTTP/1.1\t", "POST TARGET", "POST", "POST TARGET x HTTP/1.1",
        "POST TARGET http/1.1", "POST TARGET HTTP/1.10", "POST TARGET HTTP/01.1", "POST TARGET HTTP/11", "POST TARGET HTTP/1,1",
        "POST TARGET HTTP /1.1", "POST TARGET HTTP/1. 1", "POST TARGET HTTP/+1.1", "POST TARGET HTTP/1", "POST TARGET HTTP/x.y",
        "POST TARGET HTTPS/1.1", "P(ST TARGET HTTP/1.1", "P\0ST TARGET HTTP/1.1", "\0POST TARGET HTTP/1.1", "PÖST TARGET HTTP/1.1",
        "POST: TARGET HTTP/1.1",
        "POST TARGET\0 HTTP/1.1", "POST TARGET\x7f HTTP/1.1", "POST TARGET\x0bx HTTP/1.1", "POST TARGETä HTTP/1.1",
        "POST TARGET#x HTTP/1.1", "POST TARGET HTTP/1.1\rX: y", "POST TARGET HTTP/1.1\nX: y", "\nPOST TARGET HTTP/1.1",
        "\rPOST TARGET HTTP/1.1",
        "\r\n\nPOST TARGET HTTP/1.1", "\r\n\r\n\r\nPOST TARGET HTTP/1.1", "POST TARGET HTTP/1.1\r",
    ]:
        yield f"the request line {line!r}", request(line), BAD_REQUEST
    for target in [
        "", "x", "?x", "*", "http:", "http:/", "http://", "http:///TARGET", "http://?x", "http://user@aTARGET", "http://user:word@aTARGET",
        "ftp://aTARGET", "file://TARGET", "ws://aTARGET", "javascript:x", "http:/aTARGET", "http:aTARGET", "http//aTARGET", "://aTARGET",
        "http://a bTARGET", "http://a\\bTARGET", "http://a,bTARGET#x", "a:80", "\\TARGET", "http://[::1TARGET", "http://::1TARGET",
        "http://a:b:cTARGET", "http://a:8xTARGET", "http://]TARGET", "http://[a]bTARGET",
    ]:
        yield f"the target {target!r}", request(f"POST {target} HTTP/1.1"), BAD_REQUEST
    yield "CONNECT", request("CONNECT a:80 HTTP/1.1"), BAD_REQUEST
    for version in ["0.9", "2.0", "3.0", "9.9", "0.0"]:
        yield f"version {version}", request(f"POST TARGET HTTP/{version}"), [400, 505]
    yield "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505]
    yield "TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", BAD_REQUEST
    yield "a method of 200 letters (400 or 501)", request("M" * 200 + " TARGET HTTP/1.1"), [400, 501]
    yield "a target of 9,000 bytes", request(f"POST TARGET{'x' * 9000} HTTP/1.1"), [414]


def heads():
    """Headers: name, request, statuses."""
    for byte in [*range(0, 32), *b'"(),/;<=>?@[\\]{}', 127, 128, 160, 255]:
        # In latin-1 every byte is a character. A tab is white space before a colon.
        yield f"a name with the byte {byte:#04x}", request(headers=f"X{chr(byte)}Y: a\r\n"), BAD_REQUEST
    for byte in [*range(0, 9), *range(11, 13), *range(14, 32), 127]:
        yield f"a value with the byte {byte:#04x}", request(headers=f"X: a{chr(byte)}b\r\n"), BAD_REQUEST
    for name, lines_ in {
        "a space before a colon": "X : a\r\n",
        "a tab before a colon": "X\t: a\r\n",
        "a name of nothing": ": a\r\n",
        "a line without a colon": "X\r\n",
        "a line of white space": " \r\n",
        "obsolete folding with a space": "X: a\r\n b\r\n",
        "obsolete folding with a tab": "X: a\r\n\tb\r\n",
        "folding of nothing": "X: a\r\n \r\n",
        "a folded header that hides one": "X: a\r\n Connection: close\r\n",
        "a bare LF between headers": "X: a\nY: b\r\n",
        "a bare CR between headers": "X: a\rY: b\r\n",
        "CR CR LF": "X: a\r\r\n",
        "LF CR": "X: a\n\rY: b\r\n",
        "LF LF, where some would end the head": "X: a\n\nY: b\r\n",
        "CR CR, where some would end the head": "X: a\r\rY: b\r\n",
        "two origins": "Origin: a\r\nOrigin: b\r\n",
        "two types": "Content-Type: text/plain\r\nContent-Type: application/json\r\n",
        "two idempotency keys": "Idempotency-Key: a\r\nIdempotency-Key: b\r\n",
    }.items():
        yield name, request(headers=lines_), BAD_REQUEST
    yield "the first header folded", request(host=f" X: y\r\n{HOST}"), BAD_REQUEST
    yield "no Host", request(host=""), BAD_REQUEST
    yield "an absolute target and no Host", request("POST http://aTARGET HTTP/1.1", host=""), BAD_REQUEST
    yield "two equal Hosts", request(host=HOST + HOST), BAD_REQUEST
    yield "two different Hosts", request(host=HOST + "host: b\r\n"), BAD_REQUEST
    yield "an absolute target and two Hosts", request("POST http://aTARGET HTTP/1.1", host=HOST + HOST), BAD_REQUEST
    for host in [
        "a b", "a, b", "a,b c", "a/b", "a\\b", "me@a", "a?b", "a#b", "http://a", "a\tb", "ä", "a:b", "a:80:80", "a:-1", "a: 80", "a:+80",
        "a:8x", ":80", "[::1", "::1", "[::1]x", "[::1]:x", "]", "a]", "[]", "<a>", "a\"b", "a%", "a%zz", "a%0",
    ]:
        yield f"Host: {host!r}", request(host=f"Host: {host}\r\n"), BAD_REQUEST
    for value in ["200-ok", "100-continue, 100-continue", "100 continue", "", "100-continue;a=b"]:
        yield f"Expect: {value!r} (400 or 417)", request(headers=f"Expect: {value}\r\n"), [400, 417]
    yield "101 headers", request(headers="X: y\r\n" * 100), [431]
    yield "a header of 20,000 bytes", request(headers=f"X: {'y' * 20_000}\r\n"), [431]
    yield "a name of 20,000 bytes", request(headers=f"{'X' * 20_000}: y\r\n"), [431]
