internal import CSystem
internal import FWBase
internal import FWModel
internal import FWSystem

/// A directory on an SFTP server. ssh makes the connection, so the server's key and the user are checked as everywhere
/// else on this machine.
///
/// Symbolic links beneath the directory are never followed, because their targets are not known.
final class SFTPVolume: RemoteVolume {
  let name: String
  private let server: SSHServer
  private let place: SFTPPlace
  private var session: SFTPSession?
  private var operations: [ObjectIdentifier: any SFTPRunning] = [:]

  /// One operation waits for the server about three times. With this many at once, small files take no longer than
  /// their bytes.
  let width = 32

  init(_ spec: VolumeSpec) {
    name = spec.name
    server = SSHServer(spec.arguments, timeout: spec.timeout)
    place = SFTPPlace(spec, server)
  }

  deinit {
    drop()
    session?.close()
  }

  var fd: Int32 { session?.fd ?? fws_fd.lost }

  func advance() { session?.advance() }

  func find(_ key: VolumeKey, _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void) {
    begin(SFTPFind(connected(), place, key, end))
  }

  func fetch(_ file: VolumeFile, into fd: Int32, _ end: @escaping (Result<VolumeFile, StepFailure>) -> Void) {
    begin(SFTPFetch(connected(), place, file, into: fd, end))
  }

  func store(_ file: VolumeFile, from fd: Int32, _ end: @escaping (StepFailure?) -> Void) {
    begin(SFTPStore(connected(), place, file, from: fd, end))
  }

  func makeFolder(_ key: VolumeKey, _ end: @escaping (StepFailure?) -> Void) {
    begin(SFTPMakeFolder(connected(), place, key, end))
  }

  func drop() {
    for operation in Array(operations.values) { operation.abandon() }
    session?.send()
  }

  /// The session, or another one if it has ended.
  private func connected() -> SFTPSession {
    if let session, session.isUsable { return session }
    // The old session may hold descriptors that it needs no longer.
    session?.close()
    let session = SFTPSession(server)
    self.session = session
    return session
  }

  private func begin<End>(_ operation: SFTPOperation<End>) {
    let identity = ObjectIdentifier(operation)
    operations[identity] = operation
    operation.begin { [weak self] in self?.operations[identity] = nil }
    operation.session.send()
  }
}
