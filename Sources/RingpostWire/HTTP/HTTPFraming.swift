// What the headers mean for the connection, once all are known: where the body ends, whether another request may follow,
// and whether the client waits for a word before it sends the body. Being wrong here is request smuggling.

extension HTTPHeadFields {
    /// Draws the conclusions and checks the rules that need more than one header.
    mutating func takeFraming(_ head: UnsafeRawBufferPointer, limits: HTTPLimits) throws(HTTPRequestError) {
        try checkHost(head)
        body = try framedBody(head, limits: limits)
        let asksToClose = anyValue(of: .connection, in: head) { $0.containsListElement("close") }
        let asksToKeep = minorVersion == 1 || anyValue(of: .connection, in: head) { $0.containsListElement("keep-alive") }
        keepAlive = asksToKeep && !asksToClose
        try checkExpectation(head)
    }

    /// RFC 9112 3.2: exactly one Host in HTTP/1.1 (two were refused on the way), and a usable one in any version.
    private func checkHost(_ head: UnsafeRawBufferPointer) throws(HTTPRequestError) {
        guard let host = firstValue(.host) else {
            if minorVersion == 1 { throw .missingHost }
            return
        }
        guard HTTPAuthority.isValid(head.slice(host)) else { throw .badHost }
    }

    /// RFC 9112 6.3, without its forgiveness.
    private func framedBody(_ head: UnsafeRawBufferPointer, limits: HTTPLimits) throws(HTTPRequestError) -> HTTPRequestHead.Body {
        if let coding = firstValue(.transferEncoding) {
            guard minorVersion == 1 else { throw .transferEncodingInHTTP10 }
            guard !has(.contentLength) else { throw .lengthAndTransferEncoding }
            let codings = head.slice(coding)
            guard codings.equalsIgnoringCase("chunked") else {
                throw codings.endsWithListElement("chunked") ? .unsupportedTransferEncoding : .chunkedNotLast
            }
            return .chunked
        }
        guard let digits = firstValue(.contentLength) else {
            if method.needsBody { throw .lengthRequired }
            return .none
        }
        guard !digits.isEmpty, digits.count <= HTTPLimits.contentLengthDigitsMax else { throw .badContentLength }
        // 19 digits always fit 64 bits without a sign.
        var length: UInt64 = 0
        for index in digits {
            guard head[index].isDigit else { throw .badContentLength }
            length = length &* 10 &+ UInt64(head[index] &- 0x30)
        }
        guard length <= UInt64(max(0, limits.bodyBytesMax)) else { throw .bodyTooLarge }
        return .length(Int(length))
    }

    /// RFC 9110 10.1.1. A client that has no body to send waits for nothing, and HTTP/1.0 knows no 100 response.
    private mutating func checkExpectation(_ head: UnsafeRawBufferPointer) throws(HTTPRequestError) {
        guard let expectation = firstValue(.expect) else { return }
        guard head.slice(expectation).equalsIgnoringCase("100-continue") else { throw .unknownExpectation }
        expectsContinue = minorVersion == 1 && body != .none && body != .length(0)
    }
}
