// What a node's event loop does: it feeds the loop's machine and performs what it says, in order. What an action leads to inside the
// same process comes after the actions that are there already.

import RingpostCore

/// Who waits for the answer to a publish that came from a producer.
struct SimWaiter {
    let connection: SimConnection
    let request: UInt64
}

extension SimProcess {
    /// Calls the machine and performs what it wants done.
    func withLoop(_ body: (inout ShardMachine, inout [ShardAction]) -> Void) {
        body(&loop, &pendingActions)
        performAll()
        store?.onDecided()
    }

    private func performAll() {
        if isPerforming { return }
        isPerforming = true
        var next = 0
        while next < pendingActions.count, !isDead {
            let action = pendingActions[next]
            next += 1
            if case .answer(_, let result) = action, !isRelaying { simulation.checker.onDecided(result, by: self) }
            if let store, !store.admit(action) { continue }
            perform(action, isRelayed: isRelaying)
        }
        pendingActions.removeAll(keepingCapacity: true)
        isPerforming = false
    }

    /// Performs what was held for the store, until `next` has no more.
    func perform(_ next: () -> (ShardAction, isRelayed: Bool)?) {
        let isNested = isPerforming
        isPerforming = true
        while !isDead, let (action, isRelayed) = next() { perform(action, isRelayed: isRelayed) }
        isPerforming = isNested
        performAll()
        store?.onDecided()
    }

    private func perform(_ action: ShardAction, isRelayed: Bool) {
        switch action {
        case .forward(let peer, let request, let publish, let hops, let restarts):
            let budget = max(0, min(publish.deadline - now, Publish.budgetMillisecondsMax))
            send(
                .forward(
                    request: request, epoch: loop.epoch, hops: hops, restarts: restarts, publish, budgetMilliseconds: budget), to: peer)
        case .attach(let peer, let request, let epoch):
            if request.stay != .never { links[Int(peer)].attachments.insert(request.address.id) }
            send(.attach(request, epoch: epoch, age: request.age(now: now)), to: peer)
        case .send(let peer, let frame): send(.slot(frame), to: peer)
        case .reply(let channel, let frame): accepted[channel]?.connection.send(.slot(frame), from: .accepting)
        case .answer(let address, let result):
            if !isRelayed { simulation.checker.onAnswer(result, from: self) }
            if address.connectionID != 0 {
                accepted[address.connectionID]?.connection.send(.answer(request: address.id, result), from: .accepting)
            } else if let waiter = waiters.removeValue(forKey: address.id) {
                waiter.connection.send(.produced(request: waiter.request, result), from: .accepting)
            }
        case .attached(let address, let result):
            if address.connectionID != 0 {
                accepted[address.connectionID]?.connection.send(.attached(attachment: address.id, result), from: .accepting)
            } else {
                onAttached(address.id, result)
            }
        case .deliver(let address, let incarnation, let message):
            if address.connectionID != 0 {
                let frame = SimFrame.deliver(attachment: address.id, incarnation: incarnation, message)
                accepted[address.connectionID]?.connection.send(frame, from: .accepting)
            } else {
                onDeliver(address.id, incarnation: incarnation, message)
            }
        case .detached(let address):
            if address.connectionID != 0 {
                accepted[address.connectionID]?.connection.send(.detached(attachment: address.id), from: .accepting)
            } else {
                onDetached(address.id)
            }
        case .report(let peer, let address, let key, let report):
            send(.report(attachment: address.id, key, report), to: peer)
        case .presence(let address, let news):
            if address.connectionID != 0 {
                accepted[address.connectionID]?.connection.send(.news(attachment: address.id, news), from: .accepting)
            } else {
                onNews(address.id, news)
            }
        case .load(let slot, let head): store?.load(slot, head)
        case .read(let number, let load): store?.read(number, load)
        case .askRoster: askRoster()
        case .moveSoon:
            after(milliseconds: SlotLimits.movePauseMilliseconds) { self.withLoop { $0.onMoves(now: self.moment, actions: &$1) } }
        case .scheduleEpochWork: after(milliseconds: 1) { self.withLoop { $0.onEpochWork(now: self.moment, actions: &$1) } }
        case .closeConnection(let channel):
            simulation.say(name, "too much waits on channel \(channel)")
            if let end = accepted[channel] { close(end) }
        }
    }

    private func send(_ frame: SimFrame, to peer: UInt32) {
        let link = links[Int(peer)]
        guard link.isUp else { return }
        link.connection?.send(frame, from: .dialling)
        link.machine.onSent()
    }

    // MARK: Producers

    func produce(_ connection: SimConnection, request: UInt64, _ message: SimMessage, restarts: Bool, budgetMilliseconds: Int64) {
        let end: SimAccepted
        if let channel = connection.channel, let known = accepted[channel] {
            end = known
        } else {
            handshakes.removeAll { $0 === connection }
            end = register(connection, .producer)
        }
        guard view != nil, !isLeaving else {
            connection.send(.produced(request: request, .failure(isLeaving ? .stopping : .noOwner)), from: .accepting)
            return
        }
        lastWaiter += 1
        waiters[lastWaiter] = SimWaiter(connection: connection, request: request)
        let id = idempotencyID(message)
        simulation.checker.name(id, message)
        let publish = Publish(
            key: message.key, id: id, principal: principal(of: message), isRepeatable: message.isRepeatable, data: message.payload,
            deadline: now + min(budgetMilliseconds, Publish.budgetMillisecondsMax))
        let context = PublishContext(
            address: ReturnAddress(connectionID: 0, id: lastWaiter), stream: message.isStreamed ? end.stream : 0, restarts: restarts)
        withLoop { $0.submit(publish, context, now: self.moment, actions: &$1) }
    }

    /// Every other producer has a credential.
    private func principal(of message: SimMessage) -> Principal {
        message.producer % 2 == 0 ? .unnamed : Principal(rawValue: UInt64(message.producer) + 1)
    }

    /// The idempotency key's, or one that this router draws.
    private func idempotencyID(_ message: SimMessage) -> MessageID {
        if message.isRepeatable { return MessageID(high: 1, low: message.number) }
        lastMessage += 1
        return MessageID(high: messageBase, low: lastMessage)
    }

    // MARK: Bounds

    func checkBounds() {
        let limits = simulation.loopLimits
        // Beyond the first bound new ones are refused; those that were under way and have come back find room all the same.
        simulation.checker.checkBound(
            "parked publishes", loop.load.parkedPublishes, limits.lanes.parkedMax + limits.lanes.inFlightMax, name)
        simulation.checker.checkBound("publishes in flight", loop.load.publishesInFlight, limits.lanes.inFlightMax, name)
        simulation.checker.checkBound("uncommitted steps", loop.load.uncommitted, limits.slots.uncommittedMax, name)
        simulation.checker.checkBound("parked frames", loop.load.parkedFrames, limits.slots.parkedFramesMax, name)
        simulation.checker.checkBound("waiting attachments", loop.load.waitingAttachments, limits.slots.attachesMax, name)
    }
}
