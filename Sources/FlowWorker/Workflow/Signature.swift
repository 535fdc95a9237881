internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import FWVolumes
internal import CSystem
internal import CJansson
internal import Glibc

/// Everything that has to be the same for a step not to be run again: what it runs, its worker, and its files.
struct Signature {
  let text: String

  /// - Parameters:
  ///   - plan: the document of the step's plan, which is changed.
  ///   - context: the values that the step may see.
  ///   - volume: the volume in which the worker has its files.
  ///   - sources: the files that the run has under other keys.
  ///   - secrets: what is secret in the whole run.
  init?(
    _ step: Step, plan: JSONValue, _ context: ContextValues, _ volumes: Volumes, _ files: FileIndex,
    _ volume: FileVolume, sources: [VolumeKey], _ secrets: Secrets
  ) {
    // Default workers have new names in each process, and requests to an engine or a scheduler have the label of the
    // host process in them. What is inherited is the host's affair, whether by a list of names or without one. How many
    // steps run at once changes nothing of what a step does.
    for key in ["worker", "containers", "submission", "problem", "host", "inherited", "limit", "resources"] {
      _ = plan.read { json_object_del($0.raw, key) }
    }
    let values = step.type == .code ? context.without(secrets.names) : nil
    var isComplete = true
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("plan") { writer in plan.read { writer.value($0) } }
      writer.member("image", step.image)
      writer.member("values") { writer in
        guard let values else { return writer.null() }
        values.read { writer.value($0) }
      }
      var all = [("inputs", step.files.inputs, volume), ("outputs", step.files.outputs, volume)]
      if !sources.isEmpty, let main = try? volumes.volume(of: Volumes.main) { all.append(("sources", sources, main)) }
      for (name, keys, volume) in all {
        writer.member(key: name) { writer in
          writer.object { writer in
            for key in keys {
              writer.member(key: key.text) {
                isComplete = Signature.write(key, volumes, files, volume, to: &$0) && isComplete
              }
            }
          }
        }
      }
    }
    guard isComplete else { return nil }
    let buffer = writer.buffer()
    if buffer.isExhausted { return nil }
    // A secret may also have come through a reference to a parameter, or be in the name of a file.
    guard let whole = try? JSONText.parse(buffer.bytes),
      let shown = secrets.masked(whole)?.read({ JSONText.compact($0) })
    else { return nil }
    text = shown.string
  }

  /// Writes size, inode and times of a file, or of all files in a folder, for the worker's volume and for every other
  /// volume that has it. Gives false where the worker's volume does not have it.
  private static func write(
    _ key: VolumeKey, _ volumes: Volumes, _ files: FileIndex, _ volume: FileVolume, to writer: inout JSONWriter
  ) -> Bool {
    var found: [(volume: String, file: VolumeFile, facts: fws_file)] = []
    var locations = [volume.location]
    for location in files.matches(key).flatMap(\.locations) where !locations.contains(location) {
      locations.append(location)
    }
    var isThere = false
    for location in locations {
      guard case .files(let volume)? = try? volumes.volume(location), let inner = try? volume.files(key) else {
        continue
      }
      if location == volume.location { isThere = !inner.isEmpty }
      for file in inner {
        var facts = fws_file()
        if case .file = file.kind {
          guard let (_, read) = try? volume.read(file.key) else { return false }
          facts = read
        }
        found.append((location.volume, file, facts))
      }
    }
    found.sort {
      $0.volume.isSame(as: $1.volume)
        ? VolumeKey.precedes($0.file.key, $1.file.key) : $0.volume.utf8.lexicographicallyPrecedes($1.volume.utf8)
    }
    writer.array(found) { writer, entry in
      writer.object { writer in
        writer.member("volume", entry.volume)
        writer.member("key", entry.file.key.escaped)
        writer.member("size", Int(entry.file.size))
        writer.member("changed", Int(entry.facts.changed))
        // A file that was replaced (`cp -p`, `tar`, `rsync -t`) may have the size and time of the one before.
        writer.member("touched", Int(entry.facts.touched))
        writer.member("inode", Int(truncatingIfNeeded: entry.facts.inode))
        writer.member("mode", Int(entry.file.mode))
      }
    }
    return isThere
  }

  func isSame(as other: JSONValue) -> Bool {
    var text = text
    let own = text.withUTF8 { try? JSONText.parse(UnsafeRawBufferPointer($0)) }
    return own?.read { own in other.read { json_equal(own.raw, $0.raw) == 1 } } ?? false
  }
}
