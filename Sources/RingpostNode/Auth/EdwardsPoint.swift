// Ed25519 public keys that are no keys: points of small order, for which a signature can be made without any secret. Libraries differ in
// whether they refuse them; here they are refused by name.

enum EdwardsPoint {
    /// The y coordinates of all points whose order divides 8, little-endian, also as they are written beyond the field's prime.
    private static let smallOrders: [[UInt8]] = [
        [UInt8](repeating: 0, count: 32),
        [1] + [UInt8](repeating: 0, count: 31),
        hexadecimal("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        hexadecimal("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        [0xEC] + [UInt8](repeating: 0xFF, count: 30) + [0x7F],
        [0xED] + [UInt8](repeating: 0xFF, count: 30) + [0x7F],
        [0xEE] + [UInt8](repeating: 0xFF, count: 30) + [0x7F],
    ]

    /// - Parameter key: 32 bytes; anything else is no key at all, which others say.
    static func isOfSmallOrder(_ key: [UInt8]) -> Bool {
        guard let last = key.last, key.count == 32 else { return false }
        // The highest bit is the sign of x.
        return smallOrders.contains(key.dropLast() + [last & 0x7F])
    }

    private static func hexadecimal(_ text: String) -> [UInt8] {
        let digits = text.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
