// The file of namespaces: it is read whole or refused with a sentence, and what is read stays within its bounds.
import HashRing
import RingpostCore
import RingpostWire

enum NamespaceFuzzer {
    static let words = [
        "{\"chat\":{", "\"history\":{\"messages\":", "\"bytes\":", "\"seconds\":", "\"ttl\":", "\"presence\":false",
        "\"publish\":\"tokens\"",
        "\"subscribe\":\"anybody\"", "\"rate\":", "\"subscribers\":", "\"payload\":", "\"channels\":", "10", "\\u0061", ":", "}}",
    ]

    static func check(_ input: UnsafeRawBufferPointer) {
        let table: NamespaceTable
        do throws(NamespaceFault) { table = try NamespaceFile.read(Array(input)) } catch {
            demand(!error.message.isEmpty && error.message.utf8.count <= 1_024, "a fault says nothing, or too much")
            return
        }
        demand(table.all.count <= NamespaceTable.countMax, "\(table.all.count) namespaces")
        demand(NamespaceTable(table.all.reversed())?.digest == table.digest, "the digest depends on the order")
        for namespace in table.all {
            check(namespace)
            let key = Key(.channel, trusted: namespace.name + [UInt8(ascii: ":"), 0x78], hash: KeyHash(rawValue: 0))
            demand(table[key] == namespace, "a namespace is not found")
            demand(table[Key(.channel, trusted: namespace.name, hash: key.hash)] == nil, "a namespace without a colon is found")
            demand(table[Key(.user, trusted: key.name, hash: key.hash)] == nil, "a user is in a namespace")
        }
    }

    private static func check(_ namespace: Namespace) {
        demand((1...Namespace.nameBytesMax).contains(namespace.name.count), "a name of \(namespace.name.count) bytes")
        demand(!namespace.name.contains(UInt8(ascii: ":")), "a name with a colon")
        demand((0...Namespace.historyMessagesMax).contains(namespace.historyMessages ?? 0), "messages out of bounds")
        demand((1...Namespace.historyBytesMax).contains(namespace.historyBytes ?? 1), "bytes of a channel out of bounds")
        demand((1...Namespace.secondsMax).contains(namespace.historySeconds ?? 1), "seconds out of bounds")
        demand(namespace.timeToLiveSeconds ?? 0 <= Publish.timeToLiveSecondsMax, "a time to live out of bounds")
        for count in [namespace.messagesPerSecond, namespace.subscribers] {
            demand((1...Namespace.countMax).contains(count ?? 1), "a number out of bounds")
        }
        demand((1...Namespace.payloadBytesMax).contains(namespace.payloadBytes ?? 1), "a payload out of bounds")
        demand((1...Namespace.channelsMax).contains(namespace.channels ?? 1), "channels out of bounds")
        demand((1...Namespace.bytesMax).contains(namespace.bytes ?? 1), "bytes out of bounds")
    }
}
