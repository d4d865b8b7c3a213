// What comes for an attachment or a publish goes to whoever asked: a link of another member, or a subscription or connection of this shard.
import RingpostCore

extension Shard {
    func onAttached(_ address: ReturnAddress, _ result: Result<AttachReply, Problem>) {
        let origin = ConnectionAddress(address)
        if origin.connection != 0 {
            links.accepted(origin.connection)?.send(.attached(attachment: address.id, result))
            return
        }
        if HistoryReads.isOne(address.id) { return history.onAttached(address.id, result) }
        subscriptions[address.id]?.onAttached(result)
    }

    func onDeliver(_ address: ReturnAddress, incarnation: UInt64, _ message: StoredMessage) {
        let origin = ConnectionAddress(address)
        if origin.connection != 0 {
            links.accepted(origin.connection)?.deliver(to: address.id, incarnation: incarnation, message)
            return
        }
        subscriptions.onDeliver(address.id, incarnation: incarnation, message)
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
        if HistoryReads.isOne(address.id) { return history.onDetached(address.id) }
        subscriptions[address.id]?.onDetached()
    }

    /// Ends the attachment wherever it is: here, or on a link that still remembers it (the owner may have changed since).
    func detachAtSlot(_ address: ReturnAddress, _ key: Key) {
        decide { machine, now, _ in machine.detach(address, from: key, now: now) }
        subscriptions.channels.forget(address, key)
        guard ConnectionAddress(address).connection == 0 else { return }
        links.detach(address, key)
    }
}
