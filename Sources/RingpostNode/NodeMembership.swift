import RingpostCore
struct NodeMembership { let shared: NodeShared; let member: Member
  func run() async throws {} }
