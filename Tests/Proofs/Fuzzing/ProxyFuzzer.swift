// What proxies say of whom they speak for: the PROXY protocol's bytes before everything else, and the headers of requests.
import NIOCore
import RingpostCore
import RingpostWire

enum ProxyFuzzer {
    static let words = [
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n", "PROXY TCP6 ", "PROXY UNKNOWN", "\r\n\r\n\0\r\nQUIT\n", "!", " ", "\r\n",
        "2001:db8::7", "65535",
        "for=", "by=", "\"[2001:db8::17]:4711\"", "unknown", ", ", ";", "\\\"",
    ]
    private static let proxies = TrustedProxies(["10.0.0.0/8", "2001:db8::/32"].compactMap(AddressRange.init))

    private enum Outcome: Equatable {
        case read(ProxyHeader.Beginning, left: [UInt8])
        case error(ProxyHeaderError)
    }

    static func check(_ input: UnsafeRawBufferPointer) {
        let outcome = Pieces.sameForAll(input, decode)
        if case .read(.incomplete, let left) = outcome {
            demand(left.count < ProxyHeader.recordBytesMax + 16, "\(left.count) bytes wait for more")
        }
        if case .read(.absent, let left) = outcome { demand(left.elementsEqual(input), "what is no header was taken") }
        check(header: String(decoding: input, as: UTF8.self))
    }

    /// As a connection reads it: once it is known what it is, the rest is somebody else's.
    private static func decode(_ pieces: [UnsafeRawBufferPointer]) -> Outcome {
        var buffer = ByteBuffer()
        var outcome = ProxyHeader.Beginning.incomplete
        for piece in pieces {
            buffer.writeBytes(piece)
            guard outcome == .incomplete else { continue }
            do throws(ProxyHeaderError) { outcome = try ProxyHeader.read(from: &buffer) } catch { return .error(error) }
        }
        return .read(outcome, left: Array(buffer.readableBytesView))
    }

    private static func check(header text: String) {
        let chain = ForwardedHeader.chain(forwarded: text)
        demand(!chain.isEmpty && chain.count <= text.utf8.count + 1, "\(chain.count) elements")
        let others = ForwardedHeader.chain(forwardedFor: text)
        guard let stranger = SourceAddress("192.0.2.1"), let proxy = SourceAddress("10.0.0.1") else { return }
        demand(proxies.source(peer: stranger, chains: [chain, others]) == stranger, "a stranger is believed")
        let source = proxies.source(peer: proxy, chains: [chain])
        demand(source == proxy || source.map { !proxies.trusts($0) } == true, "a proxy is somebody's client")
        // What the client has written stands in front, and changes nothing where the last one is another.
        demand(
            proxies.source(peer: proxy, chains: [chain + ["198.51.100.1"]]) == SourceAddress("198.51.100.1"), "a client chooses its address"
        )
    }
}
