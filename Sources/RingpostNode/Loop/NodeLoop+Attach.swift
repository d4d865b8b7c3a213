// Attachments on their way: from a socket's session to the loop of its key's slot, from there to the owner, and the
// owner's answers and deliveries back to the session.
import RingpostCore

extension NodeLoop {
    // MARK: At the loop that holds the socket

    /// Asks the owner on behalf of a session; the answer finds it by its attachment's number.
    func ask(_ key: Key, number: UInt64, start: AttachStart, stay: AttachRequest.Stay) {
        let address = ReturnAddress(channel: ChannelAddress(loop: index).channel, id: number)
        let request = AttachRequest(key: key, address: address, start: start, stay: stay)
        cross(.attach(request, epoch: view?.epoch ?? 0), to: slotLoop(key.slot))
    }

    func detach(_ key: Key, number: UInt64) {
        let address = ReturnAddress(channel: ChannelAddress(loop: index).channel, id: number)
        cross(.detach(address, key), to: slotLoop(key.slot))
    }

    func onAttached(_ address: ReturnAddress, _ result: Result<AttachReply, Problem>) {
        let channel = ChannelAddress(address)
        if channel.connection != 0 {
            accepted[channel.connection]?.send(.attached(attachment: address.id, result))
            return
        }
        sessions[address.id]?.onAttached(result)
    }

    func onDeliver(_ address: ReturnAddress, incarnation: UInt64, _ message: StoredMessage) {
        let channel = ChannelAddress(address)
        if channel.connection != 0 {
            accepted[channel.connection]?.deliver(to: address.id, incarnation: incarnation, message)
            return
        }
        guard let session = sessions[address.id] else {
            counters.staleDeliveries += 1
            return
        }
        session.onDeliver(incarnation: incarnation, message)
    }

    func onDetached(_ address: ReturnAddress) {
        let channel = ChannelAddress(address)
        if channel.connection != 0 {
            accepted[channel.connection]?.send(.detached(attachment: address.id))
            return
        }
        sessions[address.id]?.onDetached()
    }

    // MARK: At the loop of the slot

    /// The cases: 1 this node owns the key; 2 another does, and the question came from a socket here; 3 it came over a
    /// link to a node that is not the owner: its edge has to look at its ring again.
    func attachAtSlot(_ request: AttachRequest, epoch: UInt64) {
        let origin = ChannelAddress(request.address)
        let result: Result<AttachReply, Problem>
        switch route(request.key.slot) {
        case .here:  // 1
            let now = Moment.now()
            // Behind the asking edge: it will ask again, and by then this node's ring may have moved on.
            if epoch > lanes.epoch {
                result = .failure(.retry)
            } else if now.monotonic >= lanes.mayActUntil {
                result = .failure(.frozen)
            } else {
                result = store.attach(request, now: now, fresh: freshRandom())
            }
        case .peer(let handle) where origin.connection == 0:  // 2
            links[Int(handle)]?.attach(request)
            return
        case .peer: result = .failure(.retry)  // 3
        case .unreachable: result = .failure(.ownerUnreachable)
        case .nobody: result = .failure(.noOwner)
        }
        cross(.attached(request.address, result), to: origin.loop)
    }

    /// Ends the attachment wherever it is: here, or on a link that still remembers it (the owner may have changed since).
    func detachAtSlot(_ address: ReturnAddress, _ key: Key) {
        store.detach(address, from: key)
        guard ChannelAddress(address).connection == 0 else { return }
        for link in links { link?.detach(address, key) }
    }
}
