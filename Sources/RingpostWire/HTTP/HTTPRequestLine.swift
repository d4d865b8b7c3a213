// `method SP request-target SP HTTP-version` (RFC 9112 3), with exactly one space in each place.

extension HTTPHeadFields {
    /// Takes the request line apart and notes its pieces.
    /// - Parameter line: where it is, without its CR LF and without control bytes other than tabs.
    mutating func takeRequestLine(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTPRequestError) {
        var methodEnd = line.lowerBound
        while methodEnd < line.upperBound, ASCIISet.token.contains(bytes[methodEnd]) { methodEnd &+= 1 }
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound, bytes[methodEnd] == 0x20 else { throw .badRequestLine }
        guard methodEnd - line.lowerBound <= HTTPLimits.methodBytesMax else { throw .methodTooLong }
        methodName = HTTPSpan(line.lowerBound..<methodEnd)
        method = HTTPMethod(bytes.slice(line.lowerBound..<methodEnd))

        let targetStart = methodEnd + 1
        var targetEnd = targetStart
        var queryStart: Int?
        var isClean = true
        var isASCII = true
        while targetEnd < line.upperBound, bytes[targetEnd] != 0x20 {
            let byte = bytes[targetEnd]
            if byte == UInt8(ascii: "?"), queryStart == nil { queryStart = targetEnd + 1 }
            if byte &- 0x21 > 0x5D || byte == UInt8(ascii: "#") {
                isClean = false
                if byte >= 0x80 { isASCII = false }
            }
            targetEnd &+= 1
        }
        guard targetEnd > targetStart, targetEnd < line.upperBound else { throw .badRequestLine }
        minorVersion = try Self.minorVersion(bytes.slice(targetEnd + 1..<line.upperBound))
        guard targetEnd - targetStart <= HTTPLimits.targetBytesMax else { throw .targetTooLong }
        guard isASCII else { throw .targetNotASCII }
        guard isClean else { throw .badTarget }
        if let queryStart { query = HTTPSpan(queryStart..<targetEnd) }
        try takeTarget(bytes, targetStart..<(queryStart.map { $0 - 1 } ?? targetEnd))
        headersStart = UInt16(line.upperBound + 2)
    }

    private static func minorVersion(_ version: UnsafeRawBufferPointer) throws(HTTPRequestError) -> UInt8 {
        guard version.count == 8, version.slice(0..<5).equals("HTTP/"), version[5].isDigit, version[6] == UInt8(ascii: "."),
            version[7].isDigit
        else { throw .badRequestLine }
        guard version[5] == UInt8(ascii: "1"), version[7] <= UInt8(ascii: "1") else { throw .unsupportedVersion }
        return version[7] &- 0x30
    }

    /// Notes path and authority of a target whose query has been cut off (RFC 9112 3.2).
    private mutating func takeTarget(_ bytes: UnsafeRawBufferPointer, _ target: Range<Int>) throws(HTTPRequestError) {
        if !target.isEmpty, bytes[target.lowerBound] == UInt8(ascii: "/") {
            path = HTTPSpan(target)
        } else if method == .options, query == nil, bytes.slice(target).equals("*") {
            path = HTTPSpan(target)
        } else {
            try takeAbsoluteTarget(bytes, target)
        }
    }

    private mutating func takeAbsoluteTarget(_ bytes: UnsafeRawBufferPointer, _ target: Range<Int>) throws(HTTPRequestError) {
        var schemeEnd = target.lowerBound
        while schemeEnd < target.upperBound, bytes[schemeEnd] != UInt8(ascii: ":") { schemeEnd &+= 1 }
        let scheme = bytes.slice(target.lowerBound..<schemeEnd)
        let authorityStart = schemeEnd + 3
        guard scheme.equalsIgnoringCase("http") || scheme.equalsIgnoringCase("https"),
            authorityStart < target.upperBound, bytes.slice(schemeEnd..<authorityStart).equals("://")
        else { throw .badTarget }
        var authorityEnd = authorityStart
        while authorityEnd < target.upperBound, ASCIISet.host.contains(bytes[authorityEnd]) { authorityEnd &+= 1 }
        guard authorityEnd == target.upperBound || bytes[authorityEnd] == UInt8(ascii: "/"),
            HTTPAuthority.isValid(bytes.slice(authorityStart..<authorityEnd))
        else { throw .badTarget }
        authority = HTTPSpan(authorityStart..<authorityEnd)
        // An absent path means "/" (RFC 9110 4.2.3); a path is a place in the head, so it points to the scheme's last slash.
        path = HTTPSpan(authorityEnd == target.upperBound ? authorityStart - 1..<authorityStart : authorityEnd..<target.upperBound)
    }
}
