// The parameters of a query, `name=value&name=value`, as forms write it (WHATWG URL, application/x-www-form-urlencoded),
// but strict about escapes.

/// A query's parameters, decoded. Of several with one name the first counts.
public struct HTTPQuery: Sendable {
    /// Parameters of one query. Beyond: the query is invalid.
    public static let parameterCountMax = 64

    private var parameters: [(name: [UInt8], value: [UInt8])] = []

    /// A query without parameters.
    public init() {}

    /// Parses a query without its question mark. Empty pieces (`a=1&&b=2`) are skipped; a piece without an equals sign is
    /// a name with an empty value. Nil if an escape is broken or there are more than ``parameterCountMax`` parameters.
    public init?(_ bytes: some Collection<UInt8>) {
        let parsed = HTTPTarget.withContiguousBytes(bytes) { Self.parse($0) }
        guard let parsed else { return nil }
        parameters = parsed
    }

    /// How many parameters there are in all.
    public var count: Int { parameters.count }

    /// How many parameters have that name.
    public func count(of name: String) -> Int {
        parameters.count { $0.name.elementsEqual(name.utf8) }
    }

    /// The first value of that name, as it was decoded; nil if there is none. It may be no UTF-8.
    public func bytes(_ name: String) -> [UInt8]? {
        parameters.first { $0.name.elementsEqual(name.utf8) }?.value
    }

    /// The last value that is not empty of a parameter whose name matches, as it was decoded; nil if there is none.
    public func last(where matches: ([UInt8]) -> Bool) -> [UInt8]? {
        parameters.last { !$0.value.isEmpty && matches($0.name) }?.value
    }

    /// All values of that name, as they were decoded, in their order.
    public func all(_ name: String) -> [[UInt8]] {
        parameters.compactMap { $0.name.elementsEqual(name.utf8) ? $0.value : nil }
    }

    /// The first value of that name as text; nil if there is none *or if it is no UTF-8*. Whoever must tell the two apart
    /// asks ``bytes(_:)`` and ``UTF8Check``.
    public subscript(name: String) -> String? {
        bytes(name).flatMap { String(validating: $0, as: UTF8.self) }
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer) -> [(name: [UInt8], value: [UInt8])]? {
        var parameters: [(name: [UInt8], value: [UInt8])] = []
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "&")) ?? bytes.count
            if end > start {
                let equals = bytes[start..<end].firstIndex(of: UInt8(ascii: "=")) ?? end
                let valueStart = min(equals + 1, end)
                guard parameters.count < parameterCountMax,
                    let name = HTTPTarget.decode(bytes.slice(start..<equals), plusIsSpace: true),
                    let value = HTTPTarget.decode(bytes.slice(valueStart..<end), plusIsSpace: true)
                else { return nil }
                parameters.append((name, value))
            }
            start = end + 1
        }
        return parameters
    }
}
