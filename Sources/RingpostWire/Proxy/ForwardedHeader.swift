// `Forwarded` (RFC 7239) and `X-Forwarded-For`, as chains of who came through whom: the client first, then each proxy's own peer. Whom to
// believe is not decided here.

/// The two headers in which proxies say for whom a request is.
public enum ForwardedHeader {
    /// `Forwarded: for=192.0.2.60;proto=http, for="[2001:db8::17]:4711"`: what each element says behind `for`, without quotes; `nil` for one
    /// that doesn't say it. A header that isn't in this form is one `nil`.
    public static func chain(forwarded text: String) -> [String?] {
        var chain: [String?] = []
        var rest = Array(text.utf8)[...]
        repeat {
            guard let element = element(&rest) else { return [nil] }
            chain.append(element.client)
        } while !rest.isEmpty
        return chain
    }

    /// `X-Forwarded-For: 203.0.113.7, 10.0.0.2`.
    public static func chain(forwardedFor text: String) -> [String?] {
        text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    }

    private struct Element {
        let client: String?
    }

    /// Pairs up to a comma, or to the end; `nil` if they have another form.
    private static func element(_ rest: inout ArraySlice<UInt8>) -> Element? {
        var client: String?
        while true {
            skipSpace(&rest)
            guard let name = token(&rest), rest.popFirst() == UInt8(ascii: "=") else { return nil }
            guard let value = rest.first == UInt8(ascii: "\"") ? quoted(&rest) : token(&rest) else { return nil }
            if String(decoding: name, as: UTF8.self).lowercased() == "for" {
                // Whoever picks one might pick another than a proxy did.
                guard client == nil else { return nil }
                client = String(decoding: value, as: UTF8.self)
            }
            skipSpace(&rest)
            switch rest.popFirst() {
            case nil: return Element(client: client)
            // A comma at the very end would stand for one more element, which is not there.
            case UInt8(ascii: ","): return rest.isEmpty ? nil : Element(client: client)
            case UInt8(ascii: ";"): continue
            default: return nil
            }
        }
    }

    private static func skipSpace(_ rest: inout ArraySlice<UInt8>) { rest = rest.drop { $0 == 0x20 || $0 == 0x09 } }

    private static func token(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        let token = rest.prefix { ASCIISet.token.contains($0) }
        rest = rest.dropFirst(token.count)
        return token.isEmpty ? nil : Array(token)
    }

    private static func quoted(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        rest.removeFirst()
        var text: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst() else { return nil }
                text.append(escaped)
            default: text.append(byte)
            }
        }
        return nil
    }
}
