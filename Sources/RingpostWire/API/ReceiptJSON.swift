// Receipts as JSON: the answer to one message, a line of the answer to a batch, and what a WebSocket is told.
import RingpostCore

extension Receipt.Outcome {
    /// As receipts and metrics show it.
    package var code: StaticString {
        switch self {
        case .delivered: "delivered"
        case .stored: "stored"
        case .dropped: "dropped"
        case .unknown: "unknown"
        }
    }
}

extension Receipt {
    /// `{"user":"alice","seq":1,"epoch":12,"owner":"n2","outcome":"delivered","mirrored":false,"id":"…"}`. That there are three copies
    /// (`"copies":3`), that it is durable, or a repeat, is only said where it is so.
    package func appendJSON(key: Key, to bytes: inout [UInt8]) {
        bytes.append(text: key.kind == .user ? "{\"user\":" : "{\"channel\":")
        key.name.withUnsafeBytes { JSONText.appendQuoted($0, to: &bytes) }
        bytes.append(text: ",\"seq\":")
        bytes.append(decimal: sequence)
        bytes.append(text: ",\"epoch\":")
        bytes.append(decimal: epoch)
        bytes.append(text: ",\"owner\":\"")
        bytes.append(contentsOf: owner.utf8)
        bytes.append(text: "\",\"outcome\":\"")
        bytes.append(text: outcome.code)
        bytes.append(text: mirrored ? "\",\"mirrored\":true," : "\",\"mirrored\":false,")
        if copies > 2 { bytes.append(text: "\"copies\":3,") }
        bytes.append(text: durable ? "\"durable\":true,\"id\":\"" : "\"id\":\"")
        id.append(to: &bytes)
        bytes.append(text: repeated ? "\",\"repeated\":true}" : "\"}")
    }
}
