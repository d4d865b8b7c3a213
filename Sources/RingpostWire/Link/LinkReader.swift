// The fields of one frame, read where they have arrived. A slice of the buffer would be counted for each frame, and each field read through
// three layers of it; here a field is a comparison and a load.
import NIOCore

/// Valid only while the bytes are lent.
struct LinkReader {
    private let bytes: UnsafeRawBufferPointer
    /// What has been read, from the beginning of the buffer that the bytes are in.
    private(set) var position: Int
    private let end: Int

    /// - Precondition: the range is within the bytes.
    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a frame beyond its bytes")
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    var readableBytes: Int { end - position }

    mutating func skipRest() { position = end }

    /// Little-endian, as all integers of a link are.
    @inline(__always)
    mutating func readInteger<Number: FixedWidthInteger>(as type: Number.Type) -> Number? {
        let size = MemoryLayout<Number>.size
        guard let base = bytes.baseAddress, size <= readableBytes else { return nil }
        defer { position += size }
        return Number(littleEndian: base.loadUnaligned(fromByteOffset: position, as: Number.self))
    }

    @inline(__always)
    mutating func readWord() -> UInt64? { readInteger(as: UInt64.self) }

    @inline(__always)
    mutating func readBytes(length: Int) -> [UInt8]? {
        // Twice as fast as making room and copying: of all ways to make an array this one asks for no type when it runs.
        readRaw(length: length).map { Array($0) }
    }

    @inline(__always)
    mutating func readShort() -> [UInt8]? { readInteger(as: UInt16.self).flatMap { readBytes(length: Int($0)) } }

    mutating func readShortText() -> String? {
        guard let raw = readInteger(as: UInt16.self).flatMap({ readRaw(length: Int($0)) }) else { return nil }
        // Names of nodes, most of all: there is nothing to find out about them, and to find out takes longer than to make the text.
        if raw.allSatisfy({ $0 < 0x80 }) { return String(decoding: raw, as: UTF8.self) }
        return String(validating: raw, as: UTF8.self)
    }

    @inline(__always)
    mutating func readRest() -> [UInt8] { readBytes(length: readableBytes) ?? [] }

    /// A part with its own end.
    mutating func readPart(length: Int) -> LinkReader? {
        guard let range = readRange(length: length) else { return nil }
        return LinkReader(bytes, range)
    }

    /// Where the next bytes are in the buffer.
    @inline(__always)
    mutating func readRange(length: Int) -> Range<Int>? {
        guard length >= 0, length <= readableBytes else { return nil }
        defer { position += length }
        return position..<position + length
    }

    @inline(__always)
    private mutating func readRaw(length: Int) -> UnsafeRawBufferPointer? {
        readRange(length: length).map { UnsafeRawBufferPointer(rebasing: bytes[$0]) }
    }
}
