// What a message may cost where that can be counted: the same in every run of one build, whatever else the machine does. The numbers are
// for the build in which cluster/test runs, with optimization but file by file; a release build needs no more. They are only ever lowered,
// unless a message gets to do more, and then the commit says what.

/// The most that a figure of `microbench --counts` may be.
struct CountLimit {
    let name: String
    let most: Double

    /// What is wrong, if something is.
    func complaint(about figures: [CountFigure]) -> String? {
        guard let figure = figures.first(where: { $0.name == name }) else { return "\(name): nobody counts it any more" }
        return figure.value <= most ? nil : "\(name): \(figure.value) \(figure.unit), at most \(most) allowed"
    }
}

/// A line of `microbench --counts`.
struct CountFigure: Decodable, Equatable {
    let name: String
    let value: Double
    let unit: String
}

extension CountLimit {
    static let all: [CountLimit] = [
        // Pieces of memory that one operation makes.
        CountLimit(name: "allocations.http.parse.publish", most: 0),
        CountLimit(name: "allocations.http.write.receipt", most: 0),
        CountLimit(name: "allocations.websocket.encode", most: 0),
        CountLimit(name: "allocations.websocket.decode", most: 2),
        CountLimit(name: "allocations.eventstream.encode", most: 0),
        CountLimit(name: "allocations.client.readPublish", most: 9),
        CountLimit(name: "allocations.json.check", most: 0),
        CountLimit(name: "allocations.json.quote", most: 0),
        CountLimit(name: "allocations.cursor.write", most: 0),
        CountLimit(name: "allocations.cursor.read", most: 0),
        CountLimit(name: "allocations.link.encode.forward", most: 0),
        CountLimit(name: "allocations.link.decode.forward", most: 2),
        CountLimit(name: "allocations.link.encode.receipt", most: 0),
        CountLimit(name: "allocations.link.decode.receipt", most: 0),
        CountLimit(name: "allocations.link.encode.append", most: 0),
        CountLimit(name: "allocations.link.decode.append", most: 2),
        CountLimit(name: "allocations.link.encode.acknowledge", most: 0),
        CountLimit(name: "allocations.link.decode.acknowledge", most: 0),
        CountLimit(name: "allocations.link.encode.deliver", most: 0),
        CountLimit(name: "allocations.link.decode.deliver", most: 2),
        CountLimit(name: "allocations.mailbox.append", most: 1),
        CountLimit(name: "allocations.mailbox.appendRepeatable", most: 1.02),
        CountLimit(name: "allocations.mailbox.repeat", most: 1),
        CountLimit(name: "allocations.mailbox.replay", most: 1),
        CountLimit(name: "allocations.loop.deliver", most: 1),
        CountLimit(name: "allocations.loop.deliver.mirrored", most: 3),
        CountLimit(name: "allocations.loop.fanOut", most: 0),
        // Bytes of a message of 128 bytes: on the link, on a socket, in a history; and of a user who only has a socket.
        CountLimit(name: "bytes.link.forward", most: 210),
        CountLimit(name: "bytes.link.receipt", most: 51),
        CountLimit(name: "bytes.link.append", most: 345),
        CountLimit(name: "bytes.link.acknowledge", most: 23),
        CountLimit(name: "bytes.link.deliver", most: 279),
        CountLimit(name: "bytes.websocket.message", most: 244),
        CountLimit(name: "bytes.eventstream.message", most: 274),
        CountLimit(name: "bytes.mailbox.message", most: 365),
        CountLimit(name: "bytes.mailbox.idle", most: 336),
    ]
}
