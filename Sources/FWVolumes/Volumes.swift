internal import CSystem
package import FWBase
package import FWModel
internal import FWSystem
internal import Glibc

/// The storage volumes of one run, each opened when it is first needed.
package final class Volumes {
  package enum Volume {
    case files(FileVolume)
    case remote(any RemoteVolume)
  }

  private let specs: [Location: VolumeSpec]
  /// The locations of the volumes in the order of the document. The default volume is the first.
  package let locations: [Location]
  private var open: [Location: Volume] = [:]
  /// The local directories in which workers see the files of remote volumes.
  private var copies: [Location: FileVolume] = [:]
  private var scratch: String?
  /// The directory in which local copies are kept from run to run; `nil` if they are removed with the run.
  private var copiesDirectory: String?

  /// The most folders inside each other in the local copies.
  private static let deepest: Int32 = 200

  package static let main = Location(WorkerSpec.defaultVolume)

  /// - Parameters:
  ///   - basedir: the directory of the default volume. It replaces the directory in the document.
  ///   - isToRun: whether files will be needed, so that there has to be a default volume.
  package init(_ specs: [VolumeSpec], basedir: String?, isToRun: Bool = true) throws(FlowError) {
    var all: [Location: VolumeSpec] = [:]
    var locations = [Volumes.main]
    for spec in specs {
      let location = Location(spec.name)
      all[location] = spec
      if location != Volumes.main { locations.append(location) }
    }
    if let basedir { all[Volumes.main] = VolumeSpec(defaultAt: basedir) }
    if all[Volumes.main] == nil, !isToRun { all[Volumes.main] = VolumeSpec(defaultAt: ".") }
    guard all[Volumes.main] != nil else {
      throw FlowError(
        .invalid,
        "there is no default volume: pass a run directory, or configure a volume named \"\(WorkerSpec.defaultVolume)\"")
    }
    self.locations = locations
    self.specs = all
  }

  deinit {
    if let scratch { Files.removeOwn(scratch, depth: Volumes.deepest) }
  }

  package func keepCopies(at directory: String) { copiesDirectory = directory }

  package func spec(_ location: Location) -> VolumeSpec? { specs[location] }

  package func volume(_ location: Location) throws(StepFailure) -> Volume {
    if let volume = open[location] { return volume }
    if let copy = copies[location] { return .files(copy) }
    guard let spec = specs[location] else {
      throw StepFailure(volume: "there is no volume \(MessageFormat.quoted(location.volume)); \(hint(location.volume))")
    }
    let volume: Volume
    switch spec.kind {
    case .fs: volume = .files(try FileVolume(location, at: spec.arguments["basedir"] ?? ".", isMade: true))
    case .s3, .gc: volume = .remote(try S3Volume(spec))
    case .sftp: volume = .remote(SFTPVolume(spec))
    }
    open[location] = volume
    return volume
  }

  /// The directory of the default volume; `nil` if that is no directory, or if nothing has needed it yet.
  package var rundir: String? {
    if case .files(let files)? = open[Volumes.main] { return files.path }
    return nil
  }

  /// A hint for an unknown name: a similar name, or all names.
  package func hint(_ name: String) -> String {
    let names = locations.map(\.volume)
    if let close = MessageFormat.closest(to: name, among: names) {
      return "did you mean \(MessageFormat.quoted(close))?"
    }
    return "there are \(MessageFormat.names(names))"
  }

  /// The directory in which a local worker has the files of a volume.
  package func volume(of location: Location) throws(StepFailure) -> FileVolume {
    switch try volume(location) {
    case .files(let files): return files
    case .remote:
      let copy = Location(location.volume, isLocalCopy: true)
      if let directory = copies[copy] { return directory }
      let parent: String
      if let kept = copiesDirectory { parent = kept } else { parent = try scratchDirectory() }
      let number = locations.firstIndex(of: location) ?? locations.count
      let directory = try FileVolume(copy, at: "\(parent)/\(number)", isMade: true)
      copies[copy] = directory
      return directory
    }
  }

  private func scratchDirectory() throws(StepFailure) -> String {
    if let scratch { return scratch }
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    var template = Array("\(parent.isEmpty ? "/tmp" : parent)/flowworker-XXXXXX".utf8CString)
    guard template.withUnsafeMutableBufferPointer({ $0.baseAddress.flatMap { mkdtemp($0) } }) != nil else {
      throw StepFailure(volume: "a directory for local copies of a volume's files cannot be created", errno)
    }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    scratch = directory
    return directory
  }
}
