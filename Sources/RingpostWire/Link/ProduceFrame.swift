// A message on its way from a producer, in the form in which it crosses the link: encoded once, where it is handed over, and copied from
// there for each attempt. Only what differs from attempt to attempt is written into the copy.
import HashRing
import NIOCore
import RingpostCore

/// An encoded `LinkProduce` without its number.
public struct ProduceFrame: Hashable, Sendable {
    /// After length and type: request, flags, budget, time to live, kind.
    private static let headBytes = 4 + 1 + 8 + 1 + 2 + 4 + 1
    private static let requestOffset = 5
    private static let flagsOffset = 13
    private static let budgetOffset = 14

    private let bytes: [UInt8]
    /// Bytes of the payload.
    public let dataBytes: Int

    /// Encodes a message; see `LinkProduce` for its parts. A name and a key that are longer than 16 bits can say are cut: both have far
    /// lower bounds.
    public init(
        isChannel: Bool, name: UnsafeRawBufferPointer, idempotencyKey: UnsafeRawBufferPointer, isForgettable: Bool,
        timeToLiveSeconds: UInt32?, isJSON: Bool, data: UnsafeRawBufferPointer
    ) {
        let (nameBytes, keyBytes) = (min(name.count, Int(UInt16.max)), min(idempotencyKey.count, Int(UInt16.max)))
        let total = Self.headBytes + 2 + nameBytes + 2 + keyBytes + data.count
        let flags = (isJSON ? LinkFlag.isJSON : 0) | (isForgettable ? LinkFlag.isForgettable : 0)
        dataBytes = data.count
        bytes = Array(unsafeUninitializedCapacity: total) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.storeBytes(of: UInt32(total - 4).littleEndian, as: UInt32.self)
            raw[4] = LinkFrameType.produce.rawValue
            raw.storeBytes(of: 0, toByteOffset: Self.requestOffset, as: UInt64.self)
            raw[Self.flagsOffset] = flags
            raw.storeBytes(of: 0, toByteOffset: Self.budgetOffset, as: UInt16.self)
            raw.storeBytes(of: (timeToLiveSeconds ?? noTimeToLive).littleEndian, toByteOffset: Self.headBytes - 5, as: UInt32.self)
            raw[Self.headBytes - 1] = (isChannel ? KeyKind.channel : .user).rawValue
            var offset = Self.headBytes
            func put(_ part: UnsafeRawBufferPointer) {
                UnsafeMutableRawBufferPointer(rebasing: raw[offset...]).copyMemory(from: part)
                offset += part.count
            }
            func putShort(_ part: UnsafeRawBufferPointer, _ length: Int) {
                raw.storeBytes(of: UInt16(length).littleEndian, toByteOffset: offset, as: UInt16.self)
                offset += 2
                put(UnsafeRawBufferPointer(rebasing: part[..<length]))
            }
            putShort(name, nameBytes)
            putShort(idempotencyKey, keyBytes)
            put(data)
            count = total
        }
    }

    /// Appends the frame of one attempt.
    ///
    /// - Parameters:
    ///   - request: numbers it on its connection.
    ///   - restarts: see `LinkProduce.restarts`.
    ///   - mayBeRepeat: see `LinkProduce.mayBeRepeat`.
    ///   - budgetMilliseconds: how long the producer waits from now on.
    ///   - buffer: gets it.
    public func write(request: UInt64, restarts: Bool, mayBeRepeat: Bool, budgetMilliseconds: UInt16, into buffer: inout ByteBuffer) {
        let start = buffer.writerIndex
        buffer.writeBytes(bytes)
        buffer.setInteger(request, at: start + Self.requestOffset, endianness: .little)
        let flags = bytes[Self.flagsOffset] | (restarts ? LinkFlag.restarts : 0) | (mayBeRepeat ? LinkFlag.mayBeRepeat : 0)
        buffer.setInteger(flags, at: start + Self.flagsOffset)
        buffer.setInteger(budgetMilliseconds, at: start + Self.budgetOffset, endianness: .little)
    }
}
