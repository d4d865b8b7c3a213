// The membership's requests as ZooKeeper operations: one after the other, as the node's own store sends them.

import RingpostCore

/// One session, seen as the cluster's documents.
struct SimStore {
    let session: SimSession
    let paths: ClusterPaths

    /// Performs a request and answers it, unless the session is closed before.
    func perform(_ request: MembershipRequest, _ completion: @escaping (MembershipAnswer) -> Void) {
        switch request {
        case .createPaths: make(paths.parents.map { .create(path: $0, data: [], owner: nil) }, completion)
        case .found(let document):
            session.request(.children(of: paths.roster, watch: false)) { result in
                guard case .success(.children(let names, _)) = result else { return completion(Self.answer(result)) }
                if !names.isEmpty { return completion(.exists) }
                self.change([.create(path: self.paths.ring, data: document.json(), owner: nil)], completion)
            }
        case .putBack(let remains): putBack(remains, completion)
        case .sync: session.request(.sync) { completion(Self.answer($0)) }
        case .readRing:
            session.request(.get(paths.ring)) { result in
                if case .success(.data(let data, _)) = result { completion(.ring(data)) } else { completion(Self.answer(result)) }
            }
        case .list(let unlessEpoch): list(unlessEpoch: unlessEpoch, completion)
        case .makeRosterEntry(let member, let life): makeRosterEntry(RosterEntry(member, life), completion)
        case .register(let member, let life, _):
            change(
                [
                    .set(path: paths.roster(member.id), data: RosterEntry(member, life).json()),
                    .create(path: paths.member(member.id), data: member.json(), owner: session.id),
                ], completion)
        case .changeWeight(let member):
            change(
                [
                    .delete(path: paths.member(member.id)),
                    .create(path: paths.member(member.id), data: member.json(), owner: session.id),
                ], completion)
        case .sayGoodbye(let id, let clearingRoster):
            change([.delete(path: paths.member(id))] + (clearingRoster ? [.delete(path: paths.roster(id))] : []), completion)
        }
    }

    /// A run loses all or nothing, so that there is no older entry to be corrected.
    private func putBack(_ remains: RingRemains, _ completion: @escaping (MembershipAnswer) -> Void) {
        precondition(remains.replaced == nil, "no run goes back to an older state")
        make(remains.members.map { .create(path: paths.roster($0.id), data: $0.json(), owner: nil) }) { answer in
            guard answer == .done else { return completion(answer) }
            self.change([.create(path: self.paths.ring, data: remains.document.json(), owner: nil)], completion)
        }
    }

    private func makeRosterEntry(_ entry: RosterEntry, _ completion: @escaping (MembershipAnswer) -> Void) {
        let path = paths.roster(entry.member.id)
        session.request(.change([.create(path: path, data: entry.json(), owner: nil)])) { result in
            guard case .failure(.nodeExists) = result else { return completion(Self.answer(result)) }
            session.request(.get(path)) { result in
                if case .success(.data(let data, _)) = result { completion(.rosterEntry(data)) } else { completion(Self.answer(result)) }
            }
        }
    }

    /// The roster's entries; `nil` when they can't be read.
    func roster(_ completion: @escaping ([Member]?) -> Void) {
        session.request(.sync) { _ in }
        session.request(.children(of: paths.roster, watch: false)) { result in
            guard case .success(.children(let names, _)) = result else { return completion(nil) }
            self.read(names.map { self.paths.roster($0) }, []) { contents in
                guard let contents else { return completion(nil) }
                completion(
                    zip(names, contents).compactMap { name, content in
                        content.flatMap { try? Member(json: $0.data, znode: self.paths.roster(name)) }
                    })
            }
        }
    }

    func readRevocations(_ completion: @escaping (RevocationMachine.Answer) -> Void) {
        session.request(.children(of: paths.revocations, watch: false)) { result in
            if case .success(.children(let names, _)) = result { completion(.names(names)) } else { completion(.failed("no answer")) }
        }
    }

    // MARK: The lock for withdrawing

    func takeLock(for me: MemberIdentity, _ completion: @escaping (WithdrawalMachine.LockAnswer) -> Void) {
        let data = Array("\(me)".utf8)
        session.request(.change([.create(path: paths.withdrawal, data: data, owner: session.id)])) { result in
            switch result {
            case .success: self.confirmLock(completion)
            case .failure(.nodeExists):
                // Made by this session, when the answer was lost?
                self.session.request(.get(self.paths.withdrawal)) { result in
                    guard case .success(.data(data, _)) = result else { return completion(.held) }
                    self.confirmLock(completion)
                }
            case .failure: completion(.failed)
            }
        }
    }

    private func confirmLock(_ completion: @escaping (WithdrawalMachine.LockAnswer) -> Void) {
        session.request(.sync) { _ in }
        session.request(.children(of: paths.members, watch: false)) { result in
            if case .success(.children(_, let epoch)) = result { completion(.taken(epoch: epoch)) } else { completion(.failed) }
        }
    }

    func releaseLock(of me: MemberIdentity, _ completion: @escaping (Bool) -> Void) {
        session.request(.get(paths.withdrawal)) { result in
            switch result {
            case .success(.data(let data, _)) where data == Array("\(me)".utf8):
                self.session.request(.change([.delete(path: self.paths.withdrawal)])) { result in
                    if case .failure(.connectionLoss) = result { completion(false) } else { completion(true) }
                }
            case .failure(.connectionLoss): completion(false)
            default: completion(true)
            }
        }
    }

    // MARK: Parts

    private typealias Content = (data: [UInt8], createdBy: UInt64)

    private static func answer(_ result: Result<SimReply, SimZooKeeperError>) -> MembershipAnswer {
        switch result {
        case .success: .done
        case .failure(.nodeExists): .exists
        case .failure(.noNode): .missing
        case .failure(.connectionLoss): .failed("the connection was lost")
        }
    }

    private func change(_ changes: [SimTree.Change], _ completion: @escaping (MembershipAnswer) -> Void) {
        session.request(.change(changes)) { completion(Self.answer($0)) }
    }

    /// Whoever comes first makes it.
    private func make(_ changes: [SimTree.Change], _ completion: @escaping (MembershipAnswer) -> Void) {
        guard let first = changes.first else { return completion(.done) }
        session.request(.change([first])) { result in
            switch result {
            case .success, .failure(.nodeExists): self.make(Array(changes.dropFirst()), completion)
            case .failure: completion(Self.answer(result))
            }
        }
    }

    private func list(unlessEpoch: UInt64?, _ completion: @escaping (MembershipAnswer) -> Void) {
        session.request(.children(of: paths.members, watch: true)) { result in
            guard case .success(.children(let names, let epoch)) = result else { return completion(Self.answer(result)) }
            if epoch == unlessEpoch { return completion(.unchanged) }
            self.read(names.map { self.paths.member($0) }, []) { contents in
                guard let contents else { return completion(.failed("the connection was lost")) }
                let entries = zip(names, contents).map { name, content in
                    MemberList.Entry(name: name, content: content.map { .data($0.data, createdBy: $0.createdBy) } ?? .gone)
                }
                completion(.list(MemberList(epoch: epoch, entries: entries)))
            }
        }
    }

    /// Reads znodes one by one, so that the world can change between.
    private func read(_ paths: [String], _ contents: [Content?], _ completion: @escaping ([Content?]?) -> Void) {
        guard let path = paths.first else { return completion(contents) }
        session.request(.get(path)) { result in
            switch result {
            case .success(.data(let data, let createdBy)):
                self.read(Array(paths.dropFirst()), contents + [(data, createdBy)], completion)
            case .failure(.noNode): self.read(Array(paths.dropFirst()), contents + [nil], completion)
            default: completion(nil)
            }
        }
    }
}
