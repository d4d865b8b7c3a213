// Attachments on their way: from a socket's session to the loop of its key's slot, from there to the owner, and the
// owner's answers and deliveries back to the session.
import RingpostCore

extension Shard {
    // MARK: At the loop that holds the socket

    /// Asks the owner on behalf of a session; the answer finds it by its attachment's number.
    func ask(_ key: Key, number: UInt64, start: AttachStart, stay: AttachRequest.Stay) {
        let address = ReturnAddress(connectionID: ConnectionAddress(shard: index).connectionID, id: number)
        let request = AttachRequest(key: key, address: address, start: start, stay: stay)
        post(.attach(request, epoch: view?.epoch ?? 0), to: shardIndex(key.slot))
    }

    /// At the loop of the slot: asks the owner.
    func ask(_ request: AttachRequest) {
        let epoch = view?.epoch ?? 0
        decide { $0.attach(request, epoch: epoch, fromLink: false, now: $1, actions: &$2) }
    }

    func detach(_ key: Key, number: UInt64) {
        let address = ReturnAddress(connectionID: ConnectionAddress(shard: index).connectionID, id: number)
        post(.detach(address, key), to: shardIndex(key.slot))
    }

    func onAttached(_ address: ReturnAddress, _ result: Result<AttachReply, Problem>) {
        let origin = ConnectionAddress(address)
        if origin.connection != 0 {
            links.accepted(origin.connection)?.send(.attached(attachment: address.id, result))
            return
        }
        subscriptions[address.id]?.onAttached(result)
    }

    func onDeliver(_ address: ReturnAddress, incarnation: UInt64, _ message: StoredMessage) {
        let origin = ConnectionAddress(address)
        if origin.connection != 0 {
            links.accepted(origin.connection)?.deliver(to: address.id, incarnation: incarnation, message)
            return
        }
        guard let subscription = subscriptions[address.id] else {
            counters.staleDeliveries += 1
            return
        }
        subscription.onDeliver(incarnation: incarnation, message, shared: sharedFrames.frames(of: message, incarnation: incarnation))
    }

    /// The answer to a publish that came in on this shard, from a producer, a client or a link.
    func onAnswer(_ address: ReturnAddress, _ result: PublishResult) {
        let origin = ConnectionAddress(address)
        if origin.connection != 0 {
            links.accepted(origin.connection)?.answer(address.id, result)
        } else {
            publisher.onAnswer(address.id, result)
        }
    }

    func onPresence(_ address: ReturnAddress, _ news: PresenceNews) {
        let origin = ConnectionAddress(address)
        if origin.connection != 0 {
            links.accepted(origin.connection)?.send(.presenceNews(attachment: address.id, news))
            return
        }
        subscriptions[address.id]?.onPresence(news)
    }

    func onDetached(_ address: ReturnAddress) {
        let origin = ConnectionAddress(address)
        if origin.connection != 0 {
            links.accepted(origin.connection)?.send(.detached(attachment: address.id))
            return
        }
        subscriptions[address.id]?.onDetached()
    }

    // MARK: At the loop of the slot

    /// Ends the attachment wherever it is: here, or on a link that still remembers it (the owner may have changed since).
    func detachAtSlot(_ address: ReturnAddress, _ key: Key) {
        forget(address, key)
        channels.forget(address, key)
        guard ConnectionAddress(address).connection == 0 else { return }
        for link in links.allDialled { link.detach(address, key) }
    }
}
