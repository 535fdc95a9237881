internal import CFlowShims
internal import Glibc

/// The storage volumes of one run, each opened when it is first needed.
final class Volumes {
  enum Volume {
    case files(FileVolume)
    case remote(any RemoteVolume)
  }

  private let specs: [Name: VolumeSpec]
  /// In the order of the document, the default one first.
  let names: [String]
  private var open: [Name: Volume] = [:]
  /// Where workers of this machine see the files of a volume that is elsewhere.
  private var copies: [Name: FileVolume] = [:]
  private var scratch: String?
  /// Where they are kept from run to run.
  private var copiesDirectory: String?

  /// - Parameter basedir: of the default volume, which wins over the document's.
  init(_ specs: [VolumeSpec], basedir: String?) throws(FlowError) {
    var all: [Name: VolumeSpec] = [:]
    var names: [String] = []
    for spec in specs {
      all[Name(spec.name)] = spec
      names.append(spec.name)
    }
    if let basedir { all[Name(WorkerSpec.defaultVolume)] = VolumeSpec(defaultAt: basedir) }
    guard all[Name(WorkerSpec.defaultVolume)] != nil else {
      throw FlowError(
        .invalid,
        "there is no default volume: give a run directory, or a volume with the name \"\(WorkerSpec.defaultVolume)\"")
    }
    names.removeAll { $0 == WorkerSpec.defaultVolume }
    self.names = [WorkerSpec.defaultVolume] + names
    self.specs = all
  }

  deinit {
    // In a process that was forked from the host it is the host's.
    if let scratch, !fws_is_forked() { fws_remove_tree(AT_FDCWD, scratch, 200) }
  }

  func keepCopies(at directory: String) { copiesDirectory = directory }

  func spec(_ name: String) -> VolumeSpec? { specs[Name(name)] }

  func volume(_ name: String) throws(SpawnFailure) -> Volume {
    if let volume = open[Name(name)] { return volume }
    if let copy = copies[Name(name)] { return .files(copy) }
    guard let spec = specs[Name(name)] else {
      throw SpawnFailure(volume: "there is no volume \(Wording.quoted(name)); \(hint(name))")
    }
    let volume: Volume
    switch spec.kind {
    case .fs: volume = .files(try FileVolume(name, at: spec.arguments["basedir"] ?? ".", isMade: true))
    case .s3, .gc: volume = .remote(try S3Volume(spec))
    case .sftp: volume = .remote(try SFTPVolume(spec))
    }
    open[Name(name)] = volume
    return volume
  }

  /// What a reader of a wrong name wants to know.
  func hint(_ name: String) -> String {
    if let close = Wording.closest(to: name, among: names) { return "did you mean \(Wording.quoted(close))?" }
    return "there are \(Wording.names(names))"
  }

  /// Where a worker of this machine has the files of its volume, and under which name the index knows them.
  func place(of name: String) throws(SpawnFailure) -> FileVolume {
    switch try volume(name) {
    case .files(let files): return files
    case .remote:
      // No name of a document has a NUL.
      let copy = name + "\0copy"
      if let made = copies[Name(copy)] { return made }
      let parent: String
      if let kept = copiesDirectory { parent = kept } else { parent = try scratchDirectory() }
      let number = names.firstIndex { Name.isSame($0, name) } ?? names.count
      let made = try FileVolume(copy, at: "\(parent)/\(number)", isMade: true)
      copies[Name(copy)] = made
      return made
    }
  }

  private func scratchDirectory() throws(SpawnFailure) -> String {
    if let scratch { return scratch }
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    var template = Array("\(parent.isEmpty ? "/tmp" : parent)/flowworker-XXXXXX".utf8CString)
    guard template.withUnsafeMutableBufferPointer({ $0.baseAddress.flatMap { mkdtemp($0) } }) != nil else {
      throw SpawnFailure(volume: "no directory can be made for local copies of a volume's files", errno)
    }
    let made = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    scratch = made
    return made
  }

  /// A volume as the document names it.
  static func plain(_ name: String) -> String { name.hasSuffix("\0copy") ? String(name.dropLast(5)) : name }

  /// A volume as a message names it.
  static func shown(_ name: String) -> String {
    name.hasSuffix("\0copy")
      ? "the local copy of the volume \(Wording.quoted(String(name.dropLast(5))))" : "the volume \(Wording.quoted(name))"
  }
}
